"""Scores of one response: precision, recall and F1 of rows and of items, and success.

A row is right if all its cells are; an item is a cell of a required column. Both are counted over
the rows whose keys the response and the gold table share.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from .judge import Judge
from .rules import Joined, Rules
from .tables import Table
from .tasks import Evaluation


@dataclass(frozen=True, slots=True)
class Score:
    """Each from 0 to 1 (the official rules can exceed 1 where rows are matched twice)."""

    success_rate: float = 0.0
    """1 where every figure is 1."""
    row_precision: float = 0.0
    row_recall: float = 0.0
    row_f1: float = 0.0
    item_precision: float = 0.0
    item_recall: float = 0.0
    item_f1: float = 0.0

    def as_dict(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in SCORE_NAMES}


SCORE_NAMES = tuple(field.name for field in fields(Score))


@dataclass(frozen=True, slots=True)
class ScoredTable:
    """A score, and what it was made of."""

    score: Score
    gold_rows: int = 0
    response_rows: int = 0
    matched_rows: int = 0
    problem: str = ""
    """Why the response was not compared, or not in full."""


async def score_response(
    response: str, gold_csv: str, evaluation: Evaluation, *, rules: Rules, judge: Judge
) -> ScoredTable:
    """Compare the table in ``response`` with the gold table.

    ``rules`` are :class:`~.rules.CorrectedRules` or :class:`~.rules.OfficialRules`.

    Raises:
        ConfigError: the gold table cannot be used.
        ModelError, EndpointError, Cancelled: as the judge raises them.
    """
    gold = rules.gold_table(gold_csv, evaluation)
    found, problem = rules.response_table(response, evaluation)
    if found is None:
        return ScoredTable(Score(), gold_rows=len(gold.rows), problem=problem)
    if set(found.columns) != set(evaluation.required):
        unknown, sought = rules.unclear_columns(found, evaluation)
        mapping = await judge.align(unknown, sought) if unknown and sought else {}
        found, problem = rules.with_required_columns(found, mapping, evaluation)
        if found is None:
            return ScoredTable(Score(), gold_rows=len(gold.rows), problem=problem)
    key_maps = await _key_maps(gold, found, evaluation, rules, judge)
    joined = rules.join(gold, found, key_maps, evaluation)
    cells = await _cells(joined, evaluation, rules, judge)
    return ScoredTable(
        _score(cells, joined, len(evaluation.required)),
        gold_rows=joined.gold_rows,
        response_rows=joined.response_rows,
        matched_rows=len(joined.pairs),
        problem=problem,
    )


async def _key_maps(
    gold: Table, found: Table, evaluation: Evaluation, rules: Rules, judge: Judge
) -> dict[str, Mapping[str, str]]:
    maps: dict[str, Mapping[str, str]] = {}
    for column in evaluation.unique_columns:
        if {"llm_judge", "exact_match"} & set(evaluation.eval_pipeline[column].metric):
            names, reference = rules.unclear_keys(gold, found, column, evaluation)
            if names and reference:
                maps[column] = await judge.align(names, reference)
    return maps


async def _cells(
    joined: Joined, evaluation: Evaluation, rules: Rules, judge: Judge
) -> list[list[float]]:
    """For each scored column (or each of its metrics) the cells of all matched rows."""
    scored: list[list[float]] = []
    for place, column in enumerate(evaluation.required):
        if column in evaluation.unique_columns:
            scored.append([1.0] * len(joined.pairs))
            continue
        rule = evaluation.eval_pipeline[column]
        cells = [(response[place], gold[place]) for gold, response in joined.pairs]
        by_metric = []
        for metric in rule.metric:
            if metric == "llm_judge":
                by_metric.append(await _graded(cells, str(rule.criterion or ""), rules, judge))
            else:
                compare = rules.cell_metrics[metric]
                by_metric.append([compare(response, gold, rule) for response, gold in cells])
        scored += rules.combined(by_metric)
    return scored


async def _graded(
    cells: Sequence[tuple[str, str]], criterion: str, rules: Rules, judge: Judge
) -> list[float]:
    asked = [pair for pair in cells if not rules.is_plainly_right(*pair)]
    grades = iter(await judge.grade(asked, criterion) if asked else ())
    return [1.0 if rules.is_plainly_right(*pair) else next(grades) for pair in cells]


def _score(cells: Sequence[Sequence[float]], joined: Joined, width: int) -> Score:
    if not joined.pairs:
        return Score()
    right_rows = sum(map(min, zip(*cells, strict=True)))
    right_items = sum(map(sum, cells))
    row = _figures(right_rows, joined.response_rows, joined.gold_rows)
    item = _figures(right_items, joined.response_rows * width, joined.gold_rows * width)
    success = all(figure == 1.0 for figure in (*row, *item))
    return Score(float(success), *row, *item)


def _figures(right: float, given: int, wanted: int) -> tuple[float, float, float]:
    precision, recall = right / given, right / wanted
    total = precision + recall
    return precision, recall, 2 * precision * recall / total if total > 1e-9 else 0.0
