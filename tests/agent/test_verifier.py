from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.verifier import unfounded_terms


def test_numbers_and_identifiers_that_no_source_has_are_named() -> None:
    source = "The default of SQLITE_MAX_ATTACHED is 10; it can be raised to 125."
    assert unfounded_terms("SQLITE_MAX_ATTACHED is 10 by default.", [source]) == []
    assert unfounded_terms("It can be raised to 250.", [source]) == ["250"]
    assert unfounded_terms("SQLITE_MAX_COLUMN is 10.", [source]) == ["SQLITE_MAX_COLUMN"]


def test_thousands_separators_do_not_matter() -> None:
    assert unfounded_terms("It is 1000000 bytes.", ["at most 1,000,000 bytes"]) == []
    assert unfounded_terms("It is 1,000,000 bytes.", ["at most 1000000 bytes"]) == []


@given(st.text())
def test_a_sentence_is_always_founded_on_itself(text: str) -> None:
    assert unfounded_terms(text, [text]) == []
