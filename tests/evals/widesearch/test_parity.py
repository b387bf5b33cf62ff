"""The official rules against evalscope's port of the official evaluation.

To run: ``pip download --no-deps evalscope==1.14.1``, then
``PYTHONPATH=evalscope-1.14.1-py3-none-any.whl pytest tests/evals/widesearch/test_parity.py``.
"""

from __future__ import annotations

import asyncio
import importlib.util
import sys
import types
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from leadline.evals.widesearch.aggregation import TrialScore, aggregate
from leadline.evals.widesearch.rules import OfficialRules
from leadline.evals.widesearch.scoring import SCORE_NAMES, Score, score_response

from .table_pairs import AliasJudge, TablePair, table_pairs

PAIRS = table_pairs(400)


@pytest.fixture(scope="module")
def evalscope() -> types.ModuleType:
    """The module with the port's table preparation and scoring, without what it runs in."""
    package = importlib.util.find_spec("evalscope")
    if package is None or package.submodule_search_locations is None:
        pytest.skip("evalscope's wheel is not on PYTHONPATH")
    name = "benchmarks/wide_search/utils.py"
    [root] = package.submodule_search_locations
    loader = package.loader
    source = loader.get_data(f"{root}/{name}").decode()  # type: ignore[union-attr]

    @dataclass
    class AggScore:
        metric_name: str
        score: float
        aggregation: str
        dimensions: dict[str, Any]
        num: int
        ids: list[Any]
        metadata: dict[str, Any] = field(default_factory=dict)

    # Only the names of the result classes are needed of the framework.
    metric = types.ModuleType("evalscope.api.metric")
    metric.AggScore = AggScore  # type: ignore[attr-defined]
    metric.SampleScore = object  # type: ignore[attr-defined]
    module = types.ModuleType("evalscope_wide_search")
    sys.modules["evalscope_wide_search"] = module
    sys.modules["evalscope.api.metric"] = metric
    for parent in ("evalscope", "evalscope.api"):
        sys.modules.setdefault(parent, types.ModuleType(parent))
    code = compile(source, f"{root}/{name}", "exec")
    exec(code, vars(module))  # noqa: S102 the wheel's own module, as an import would run it
    return module


async def ported_score(evalscope: types.ModuleType, pair: TablePair) -> dict[str, float]:
    """The port's score, its judge's stages in their order."""
    evaluation = pair.evaluation.model_dump(mode="json")
    judge = AliasJudge()
    session = evalscope.WideSearchSession.create(pair.response, pair.gold_csv, evaluation)
    columns: dict[str, str] = {}
    if session.needs_column_alignment():
        columns = dict(
            await judge.align(session.response_df.columns.tolist(), session.required_columns)
        )
    keys: dict[str, dict[str, str]] = {}
    answer, response, _ = session.frames(columns)
    if answer is not None:
        for column in session.unique_columns:
            if {"llm_judge", "exact_match"} & set(evaluation["eval_pipeline"][column]["metric"]):
                keys[column] = dict(
                    await judge.align(response[column].tolist(), answer[column].tolist())
                )
    grades: dict[str, list[float]] = {}
    inner, _ = session.inner_frame(columns, keys)
    if inner is not None:
        for column, rule in evaluation["eval_pipeline"].items():
            if "llm_judge" in rule["metric"] and column not in session.unique_columns:
                cells = list(
                    zip(inner[f"{column}_response"], inner[f"{column}_query"], strict=True)
                )
                grades[f"{column}_llm_judge"] = await judge.grade(cells, rule["criterion"])
    score, _ = session.score(grades, columns, keys)
    return dict(score)


@pytest.fixture(scope="module")
def ported(evalscope: types.ModuleType) -> list[dict[str, float]]:
    """The port's score of each pair."""

    async def all_of_them() -> list[dict[str, float]]:
        return [await ported_score(evalscope, pair) for pair in PAIRS]

    return asyncio.run(all_of_them())


async def test_every_score_is_the_ports(ported: list[dict[str, float]]) -> None:
    rules, judge = OfficialRules(), AliasJudge()
    for number, (pair, wanted) in enumerate(zip(PAIRS, ported, strict=True)):
        scored = await score_response(
            pair.response, pair.gold_csv, pair.evaluation, rules=rules, judge=judge
        )
        assert scored.score.as_dict() == pytest.approx(wanted, abs=1e-12), (number, pair)


def test_the_pairs_cover_every_metric_and_more_than_zeros(ported: list[dict[str, float]]) -> None:
    scored = [pair for pair, score in zip(PAIRS, ported, strict=True) if score["item_f1"] > 0]
    assert len(scored) >= 200
    used = Counter(
        name
        for pair in scored
        for rule in pair.evaluation.eval_pipeline.values()
        for name in (*rule.metric, *rule.preprocess)
    )
    assert len(used) == 6 + 3
    assert min(used.values()) >= 50
    assert any(score["item_f1"] > 1 for score in ported)
    assert any(0 < score["row_f1"] < 1 for score in ported)
    assert any(score["success_rate"] == 1 for score in ported)


def test_figures_over_trials_are_the_ports(evalscope: types.ModuleType) -> None:
    trials = [
        TrialScore(f"ws_{n}", "en" if n % 2 else "zh", trial, _made_up(n, trial))
        for n in range(7)
        for trial in range(3)
        if (n, trial) != (4, 2)
    ]
    samples = [
        types.SimpleNamespace(
            sample_id=n,
            group_id=score.instance_id,
            generation_index=score.trial,
            sample_metadata={"language": score.language},
            score=types.SimpleNamespace(value=score.score.as_dict()),
        )
        for n, score in enumerate(trials)
    ]
    ported = {
        (
            result.dimensions["scope"],
            "_".join(filter(None, (result.dimensions.get("target"), result.metric_name))),
            "avg" if result.aggregation == "mean" else "max",
        ): result.score
        for result in evalscope.aggregate_official_scores(samples)
    }
    ours = {
        (figure.scope, figure.measure, figure.statistic): figure.value
        for figure in aggregate(trials, trials=3, official=True)
        if figure.statistic != "min"
    }
    assert len(ported) == 3 * len(SCORE_NAMES) * 2
    assert ours == pytest.approx(ported)


def _made_up(task: int, trial: int) -> Score:
    values = [((task * 7 + trial * 3 + n) % 11) / 10 for n in range(len(SCORE_NAMES) - 1)]
    return Score(float((task + trial) % 2), *values)
