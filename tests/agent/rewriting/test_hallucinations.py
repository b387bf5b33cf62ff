from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.rewriting.hallucinations import ground

QUESTION = "In which year was the harbour of Port Alder opened?"


def test_words_of_the_question_and_of_what_was_found_weigh_fully() -> None:
    grounding = ground("Port Alder harbour berths", [QUESTION, "The harbour has 14 berths."])
    assert grounding.weight == 1.0
    assert grounding.foreign == grounding.invented == ()


def test_a_number_from_nowhere_is_dropped() -> None:
    grounding = ground("Port Alder harbour opened 1911", [QUESTION])
    assert grounding.weight == 0.0
    assert grounding.invented == ("1911",)


def test_a_name_from_nowhere_weighs_less_than_a_common_word() -> None:
    named = ground("harbour opened by Gustav Meyer", [QUESTION])
    common = ground("harbour opened by gustav meyer", [QUESTION])
    assert named.invented == ("Gustav", "Meyer")
    assert 0 < named.weight < common.weight < 1


def test_a_query_that_left_the_question_weighs_least() -> None:
    grounding = ground("best pizza recipes", [QUESTION])
    assert not grounding.relevant
    assert grounding.weight == 0.25
    assert set(grounding.foreign) == {"best", "pizza", "recipes"}


@given(st.text(), st.lists(st.text(), max_size=3))
def test_weights_are_shares_and_what_is_quoted_is_never_foreign(
    query: str, sources: list[str]
) -> None:
    assert 0.0 <= ground(query, sources).weight <= 1.0
    assert ground(query, [*sources, query]).invented == ()
    assert ground(query, [*sources, query]).foreign == ()
