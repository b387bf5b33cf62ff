"""By which rules tables are read and joined: the official ones, or corrected ones."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from ...errors import ConfigError
from . import metrics, official_metrics
from .official_tables import (
    TableUnreadable,
    official_gold_table,
    official_response_table,
    require_pandas,
)
from .tables import Table, gold_table, response_table
from .tasks import ColumnRule, Evaluation, Metric

Row = tuple[str, ...]
CellMetrics = Mapping[Metric, Callable[[str, str, ColumnRule], float]]
KeyMaps = Mapping[str, Mapping[str, str]]

_LINK = re.compile(r"\[([^\[\]]*)\]\([^()\s]*\)")


@dataclass(frozen=True, slots=True)
class Joined:
    """Rows that share their key, cells prepared, in the order of the required columns."""

    pairs: tuple[tuple[Row, Row], ...]
    """(gold, response)."""
    gold_rows: int
    response_rows: int


class Rules(Protocol):
    """What the two ways to score do differently."""

    @property
    def cell_metrics(self) -> CellMetrics: ...

    def gold_table(self, csv_text: str, evaluation: Evaluation) -> Table:
        """The gold table, required columns in their order; ConfigError if one is missing."""
        ...

    def response_table(self, response: str, evaluation: Evaluation) -> tuple[Table | None, str]:
        """The table of a response, or None and why there is none."""
        ...

    def unclear_columns(
        self, found: Table, evaluation: Evaluation
    ) -> tuple[Sequence[str], Sequence[str]]:
        """Columns to be aligned, and the names to align them with."""
        ...

    def with_required_columns(
        self, found: Table, mapping: Mapping[str, str], evaluation: Evaluation
    ) -> tuple[Table | None, str]:
        """``found`` under the required names; None, and why, if it cannot be compared."""
        ...

    def unclear_keys(
        self, gold: Table, found: Table, column: str, evaluation: Evaluation
    ) -> tuple[Sequence[str], Sequence[str]]:
        """Values of a key column to be aligned, and those to align them with."""
        ...

    def join(
        self, gold: Table, found: Table, key_maps: KeyMaps, evaluation: Evaluation
    ) -> Joined: ...

    def combined(self, by_metric: Sequence[list[float]]) -> Sequence[list[float]]:
        """The cells of a column that count as items, from those of each of its metrics."""
        ...

    def is_plainly_right(self, response: str, gold: str) -> bool:
        """Whether a cell needs no judge."""
        ...


class OfficialRules:
    """As the official evaluation scores, quirks included.

    They follow evalscope 1.14.1, a port of the original: both tables are read by pandas
    (:mod:`.official_tables`), compared by :mod:`.official_metrics`; an extra or a missing column
    makes everything 0; rows are told apart before their keys are normalised, so that two spellings
    of a key can match one gold row twice (F1 above 1); repeated gold rows count; each metric of a
    column counts as an item of its own; values of keys are aligned by the judge even if all are
    alike, in their prepared form, but replaced in their raw form. The original differs from the
    port in that last point (it aligns raw values) and in counting repeated gold rows once.

    Raises:
        ConfigError: pandas 2 is not installed.
    """

    cell_metrics: CellMetrics = official_metrics.CELL_METRICS

    def __init__(self) -> None:
        require_pandas()

    def gold_table(self, csv_text: str, evaluation: Evaluation) -> Table:
        try:
            table = official_gold_table(csv_text)
        except TableUnreadable as error:
            raise _unusable_gold(str(error)) from error
        return _selected(table, evaluation.required)

    def response_table(self, response: str, evaluation: Evaluation) -> tuple[Table | None, str]:
        try:
            table = official_response_table(response)
        except TableUnreadable as error:
            return None, f"the table cannot be read ({error})"
        return (None, "there is no table") if table is None else (table, "")

    def unclear_columns(
        self, found: Table, evaluation: Evaluation
    ) -> tuple[Sequence[str], Sequence[str]]:
        return found.columns, evaluation.required

    def with_required_columns(
        self, found: Table, mapping: Mapping[str, str], evaluation: Evaluation
    ) -> tuple[Table | None, str]:
        names = _first_to_each(mapping)
        columns = tuple(names.get(column, column) for column in found.columns)
        if sorted(columns) != sorted(evaluation.required):
            return None, f"its columns are {', '.join(found.columns)}"
        return Table(columns, found.rows), ""

    def unclear_keys(
        self, gold: Table, found: Table, column: str, evaluation: Evaluation
    ) -> tuple[Sequence[str], Sequence[str]]:
        place = evaluation.required.index(column)
        prepared = (self._prepared(table, {}, evaluation) for table in (found, gold))
        names, reference = ([row[place] for row in rows] for rows in prepared)
        return names, reference

    def join(self, gold: Table, found: Table, key_maps: KeyMaps, evaluation: Evaluation) -> Joined:
        answers = self._prepared(found, key_maps, evaluation)
        keys = [evaluation.required.index(column) for column in evaluation.unique_columns]
        by_key: dict[Row, list[Row]] = defaultdict(list)
        for row in answers:
            by_key[_key(row, keys)].append(row)
        pairs = [
            (row, answer)
            for row in self._prepared(gold, {}, evaluation)
            for answer in by_key.get(_key(row, keys), ())
        ]
        return Joined(tuple(pairs), gold_rows=len(gold.rows), response_rows=len(answers))

    def combined(self, by_metric: Sequence[list[float]]) -> Sequence[list[float]]:
        return by_metric

    def is_plainly_right(self, response: str, gold: str) -> bool:
        return False

    def _prepared(self, table: Table, key_maps: KeyMaps, evaluation: Evaluation) -> list[Row]:
        """Rows with the first of equal raw keys each, keys replaced, cells preprocessed."""
        rows = _selected(table, evaluation.required).rows
        keys = [evaluation.required.index(column) for column in evaluation.unique_columns]
        kept: dict[Row, Row] = {}
        for row in rows:
            kept.setdefault(_key(row, keys), row)
        columns = []
        for place, name in enumerate(evaluation.required):
            names = key_maps.get(name, {})
            cells = [names.get(row[place], row[place]) for row in kept.values()]
            for preprocess in evaluation.eval_pipeline[name].preprocess:
                cells = [official_metrics.PREPROCESSORS[preprocess](cell) for cell in cells]
            columns.append(cells)
        return list(zip(*columns, strict=True))


class CorrectedRules:
    """As the measures are meant.

    Tables are read as text (:mod:`.tables`) and compared by :mod:`.metrics`. Columns that were not
    asked for are left aside, a missing one loses its own cells only (and so every whole row), a
    missing key column everything. Rows are told apart after their keys are normalised and aligned:
    a gold row is matched once at most, so nothing exceeds 1. A cell with several metrics is one
    item, right if all of them say so. A judge is asked only about columns, keys and cells that are
    not spelt alike.
    """

    cell_metrics: CellMetrics = metrics.CELL_METRICS

    def gold_table(self, csv_text: str, evaluation: Evaluation) -> Table:
        try:
            table = gold_table(csv_text)
        except ValueError as error:
            raise _unusable_gold(str(error)) from error
        return _selected(table, evaluation.required)

    def response_table(self, response: str, evaluation: Evaluation) -> tuple[Table | None, str]:
        table = response_table(response, evaluation.required)
        return (None, "there is no table") if table is None else (table, "")

    def unclear_columns(
        self, found: Table, evaluation: Evaluation
    ) -> tuple[Sequence[str], Sequence[str]]:
        unknown = [name for name in found.columns if name not in evaluation.required]
        return unknown, [name for name in evaluation.required if name not in found.columns]

    def with_required_columns(
        self, found: Table, mapping: Mapping[str, str], evaluation: Evaluation
    ) -> tuple[Table | None, str]:
        unknown, sought = self.unclear_columns(found, evaluation)
        names = {
            name: target
            for name, target in _first_to_each(mapping).items()
            if name in unknown and target in sought
        }
        columns = [names.get(column, column) for column in found.columns]
        missing = [name for name in evaluation.required if name not in columns]
        if lost := [name for name in missing if name in evaluation.unique_columns]:
            return None, f"it has no column {', '.join(lost)}"
        table = Table(
            (*columns, *missing), tuple((*row, *[""] * len(missing)) for row in found.rows)
        )
        problem = f"it has no column {', '.join(missing)}" if missing else ""
        return _selected(table, evaluation.required), problem

    def unclear_keys(
        self, gold: Table, found: Table, column: str, evaluation: Evaluation
    ) -> tuple[Sequence[str], Sequence[str]]:
        rule = evaluation.eval_pipeline[column]
        names = dict.fromkeys(_prepared_cells(found.column(column), rule))
        reference = dict.fromkeys(_prepared_cells(gold.column(column), rule))
        return [name for name in names if name not in reference], list(reference)

    def join(self, gold: Table, found: Table, key_maps: KeyMaps, evaluation: Evaluation) -> Joined:
        wanted = self._by_key(gold, {}, evaluation)
        answers = self._by_key(found, key_maps, evaluation)
        pairs = tuple((row, answers[key]) for key, row in wanted.items() if key in answers)
        return Joined(pairs, gold_rows=len(wanted), response_rows=len(answers))

    def combined(self, by_metric: Sequence[list[float]]) -> Sequence[list[float]]:
        return [[min(cells) for cells in zip(*by_metric, strict=True)]]

    def is_plainly_right(self, response: str, gold: str) -> bool:
        return metrics.folded(response) == metrics.folded(gold)

    def _by_key(self, table: Table, key_maps: KeyMaps, evaluation: Evaluation) -> dict[Row, Row]:
        """The first row of each key, in order."""
        table = _selected(table, evaluation.required)
        columns = []
        for place, name in enumerate(evaluation.required):
            cells = _prepared_cells(
                [row[place] for row in table.rows], evaluation.eval_pipeline[name]
            )
            names = key_maps.get(name, {})
            columns.append([names.get(cell, cell) for cell in cells])
        keys = [evaluation.required.index(column) for column in evaluation.unique_columns]
        rows: dict[Row, Row] = {}
        for row in zip(*columns, strict=True):
            rows.setdefault(tuple(metrics.folded(part) for part in _key(row, keys)), row)
        return rows


def _prepared_cells(cells: Sequence[str], rule: ColumnRule) -> list[str]:
    prepared = list(cells)
    if "url_match" not in rule.metric:
        prepared = [_LINK.sub(r"\1", cell) if "](" in cell else cell for cell in prepared]
    for preprocess in rule.preprocess:
        prepared = [metrics.PREPROCESSORS[preprocess](cell) for cell in prepared]
    return prepared


def _selected(table: Table, required: Sequence[str]) -> Table:
    """The required columns in their order; ConfigError if one is missing."""
    missing = [name for name in required if name not in table.columns]
    if missing:
        raise _unusable_gold(f"it has no column {', '.join(missing)}")
    if table.columns == tuple(required):
        return table
    places = [table.columns.index(name) for name in required]
    return Table(tuple(required), tuple(tuple(row[n] for n in places) for row in table.rows))


def _key(row: Row, keys: Sequence[int]) -> Row:
    return tuple(row[place] for place in keys)


def _first_to_each(mapping: Mapping[str, str]) -> dict[str, str]:
    """``mapping`` without those that lead where an earlier one does."""
    names: dict[str, str] = {}
    for name, target in mapping.items():
        if target not in names.values():
            names[name] = target
    return names


def _unusable_gold(problem: str) -> ConfigError:
    return ConfigError(f"a gold table cannot be used ({problem})", remedy="get the data set again")
