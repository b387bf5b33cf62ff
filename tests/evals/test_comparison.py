"""Results of one evaluation beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.evals.comparison import comparable, differences
from leadline.evals.intervals import mcnemar, paired_share_difference
from leadline.evals.result import DataUsed, EvaluationResult

HITS = st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=1)


def result(
    questions: Sequence[Mapping[str, object]], *, digest: str = "d" * 64, name: str = "hop"
) -> EvaluationResult:
    return EvaluationResult(
        name=name,
        data=DataUsed("/d", digest, len(questions)),
        settings={},
        machine={},
        rows=(),
        questions=tuple(questions),  # type: ignore[arg-type]
        seconds=1.0,
    )


def score(question: str, **shares: float) -> dict[str, object]:
    return {"method": "bm25", "sets": ["musique"], "question": question, "shares": shares}


def test_questions_are_paired_whatever_their_order() -> None:
    first = result([score(str(n), hit=float(n < 6), f1=n / 10) for n in range(10)])
    second = result([score(str(n), hit=float(n < 9), f1=n / 10 + 0.05) for n in range(9, -1, -1)])
    hit, f1 = differences(first, second)
    assert (hit.set, hit.method, hit.metric, hit.n) == ("musique", "bm25", "hit", 10)
    assert (hit.first, hit.second) == (0.6, 0.9)
    assert hit.low < hit.difference < hit.high
    assert hit.p == pytest.approx(2 / 2**3)
    assert f1.p is None
    assert f1.low == pytest.approx(0.05) == f1.high
    assert f1.is_clear


def test_only_what_both_have_and_what_can_be_told_apart_counts() -> None:
    first = result([score("a", f1=0.5), score("twice", f1=1.0), score("twice", f1=0.0)])
    second = result([score("a", f1=0.25, other=1.0), score("twice", f1=1.0), score("b", f1=1.0)])
    [found] = differences(first, second)
    assert (found.metric, found.n, found.difference) == ("f1", 1, -0.25)


def test_figures_are_found_in_any_evaluations_own_terms() -> None:
    tables = {"method": "m", "instance_id": "t", "scored": {"score": {"row_f1": 0.5}}, "trial": 1}
    answers = {"question": "q", "gold_cited": True, "status": "complete", "seconds": 2.0}
    found = differences(result([tables, answers]), result([tables, answers]))
    assert {each.metric for each in found} == {"row f1", "gold cited", "seconds"}


def test_other_data_are_not_compared() -> None:
    first, second = result([score("a", f1=1.0)]), result([score("a", f1=1.0)], digest="e" * 64)
    assert not comparable(first, second)
    assert not comparable(result([], digest=""), result([], digest=""))
    with pytest.raises(ValueError, match="same data"):
        differences(first, second)


@given(HITS)
def test_the_interval_of_pairs_holds_the_difference_and_mirrors(
    pairs: list[tuple[float, float]],
) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    low, high = paired_share_difference(first, second)
    difference = (sum(second) - sum(first)) / len(pairs)
    assert -1.0 - 1e-9 <= low <= difference <= high <= 1.0 + 1e-9
    assert high > low
    back = paired_share_difference(second, first)
    assert back == pytest.approx((-high, -low))
    assert 0.0 < mcnemar(first, second) <= 1.0


def test_newcombes_interval_by_hand() -> None:
    # 36 both, 12 only first, 2 only second, 0 neither: method 10 of the paper, second minus first.
    pairs = [(1.0, 1.0)] * 36 + [(1.0, 0.0)] * 12 + [(0.0, 1.0)] * 2
    low, high = paired_share_difference([a for a, _ in pairs], [b for _, b in pairs])
    p1, p2 = 48 / 50, 38 / 50
    assert low < p2 - p1 < high < 0
    assert mcnemar([a for a, _ in pairs], [b for _, b in pairs]) == pytest.approx(
        2 * (1 + 14 + 91) / 2**14
    )
