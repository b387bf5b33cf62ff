from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadline.evidence import Evidence, Span
from leadline.tui.best_evidence import BestEvidence, EvidenceView

MOST = 6
QUOTE = "words"


def span(number: int) -> Span:
    return Span(page_id="p", start=10 * number, end=10 * number + len(QUOTE), quote=QUOTE)


def piece(number: int, score: float) -> EvidenceView:
    return EvidenceView(Evidence(span=span(number), score=score, question="Why?"), "t", "u")


scores = st.lists(st.integers(0, 8).map(float) | st.floats(-1e9, 1e9), max_size=60)


@given(scores, st.data())
def test_the_best_are_kept_and_all_that_are_cited(found: list[float], data: st.DataObject) -> None:
    best = BestEvidence(MOST)
    cited: set[int] = set()
    for number, score in enumerate(found):
        best.add(piece(number, score))
        held = {each.evidence.span.start // 10 for each in best}
        if held and data.draw(st.integers(0, 3)) == 0:
            chosen = data.draw(st.sampled_from(sorted(held)))
            assert best.cite(span(chosen))
            cited.add(chosen)
        assert len(best) <= max(MOST, len(cited))
    by_rank = sorted(range(len(found)), key=lambda number: (-found[number], number))
    others = [number for number in by_rank if number not in cited][: max(MOST - len(cited), 0)]
    expected = [number for number in by_rank if number in cited or number in others]
    assert [each.evidence.span.start // 10 for each in best] == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-10, 10)), max_size=30))
def test_a_piece_that_comes_again_is_held_once_with_its_best_score(
    found: list[tuple[int, float]],
) -> None:
    best = BestEvidence(MOST)
    for number, score in found:
        best.add(piece(number, score))
    held = {each.evidence.span.start // 10: each.evidence.score for each in best}
    assert len(best) == len(held)
    assert held == {n: max(s for m, s in found if m == n) for n, _ in found}
    assert list(held.values()) == sorted(held.values(), reverse=True)
