from __future__ import annotations

import os
from math import log2
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.cancellation import Cancellation
from leadline.errors import ConfigError
from leadline.evals import rerank
from leadline.evals.scores import rows
from leadline.progress import silent

from .scripted_method import ScriptedMethod
from .tiny_data import write_trec


def test_ndcg_by_hand() -> None:
    got = rerank.ndcg([0, 3, 1], [3, 2, 1, 0], at=10)
    assert got == pytest.approx((3 / log2(3) + 1 / 2) / (3 + 2 / log2(3) + 1 / 2))
    assert rerank.ndcg([0, 3], [3], at=1) == 0.0
    assert rerank.ndcg([0, 0], [0], at=10) == 0.0


@given(st.lists(st.integers(0, 3), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_no_order_is_better_than_by_grade(grades: list[int], random: Random) -> None:
    shuffled = list(grades)
    random.shuffle(shuffled)
    got = rerank.ndcg(shuffled, grades, at=10)
    best = rerank.ndcg(sorted(grades, reverse=True), grades, at=10)
    assert 0.0 <= got <= best + 1e-9
    assert best == (pytest.approx(1.0) if any(grades) else 0.0)


async def test_methods_beside_the_given_and_the_best_order(tmp_path: Path) -> None:
    evaluation = rerank.load(write_trec(tmp_path))
    method = ScriptedMethod(lambda _: ["life of a flea", "flea can", "Six feet"])
    scores = list(evaluation.references)
    for trial in evaluation.trials:
        scores += await trial.measure(method, cancel=Cancellation(), progress=silent)
    values = {row.method: row.value for row in rows(scores) if row.metric == "ndcg@10"}
    # A passage that BM25 missed has grade 3 as well: the first query cannot reach 1.
    ideal = 3 + 3 / log2(3) + 1 / 2
    best = ((3 + 1 / log2(3)) / ideal + 1) / 2
    assert values["best possible"] == pytest.approx(best)
    assert values["scripted"] == pytest.approx(best)
    given_order = (3 / log2(3) + 1 / 2) / ideal
    assert values["bm25 order of the data"] == pytest.approx((given_order + 1) / 2)


@pytest.mark.parametrize(
    ("grades", "words"),
    [
        ("7 Q0 a\n", r"qrels\.txt is damaged \(line 1"),
        ("7 Q0 a 1\n", "query 8 has no grades"),
        (None, r"cannot read .*qrels\.txt"),
    ],
)
def test_missing_and_damaged_grades_are_named(
    grades: str | None, words: str, tmp_path: Path
) -> None:
    path = write_trec(tmp_path) / "qrels.txt"
    path.unlink()
    if grades is not None:
        path.write_text(grades)
    with pytest.raises(ConfigError, match=words):
        rerank.load(tmp_path)


def test_figures_of_the_published_data() -> None:
    if (parent := os.environ.get("LEADLINE_TEST_DATA")) is None:
        pytest.skip("LEADLINE_TEST_DATA names no folder of evaluation data")
    evaluation = rerank.load(Path(parent) / "trec-dl19")
    values = {row.method: round(row.value, 3) for row in rows(evaluation.references)}
    assert values == {"bm25 order of the data": 0.506, "best possible": 0.892}
