from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.evals.answer_match import exact_match, normalised, word_f1


@pytest.mark.parametrize(
    ("answer", "right", "exact", "f1"),
    [
        ("The Anglican Communion.", ["the Anglican Communion"], 1.0, 1.0),
        ("Stanley Hall", ["G. Stanley Hall", "Stanley Hall"], 1.0, 1.0),
        ("Hall", ["G. Stanley Hall"], 0.0, 0.5),
        ("yes, it is", ["yes"], 0.0, 0.0),
        ("no", ["no"], 1.0, 1.0),
        ("", ["35"], 0.0, 0.0),
        ("35 stores", ["35"], 0.0, 2 / 3),
        ("a spirit spirit", ["a spirit"], 0.0, 2 / 3),
    ],
)
def test_known_cases(answer: str, right: list[str], exact: float, f1: float) -> None:
    assert exact_match(answer, right) == exact
    assert word_f1(answer, right) == pytest.approx(f1)


@given(st.text(max_size=40), st.lists(st.text(max_size=40), max_size=3))
def test_an_exact_match_has_full_f1_and_f1_is_a_share(answer: str, right: list[str]) -> None:
    f1 = word_f1(answer, right)
    assert 0.0 <= f1 <= 1.0
    if exact_match(answer, right):
        assert f1 == 1.0
    assert normalised(normalised(answer)) == normalised(answer)
