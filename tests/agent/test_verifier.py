from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.verifier import stands_in, unfounded_terms


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


def test_words_that_stand_in_the_quote_are_found_whatever_their_punctuation() -> None:
    quote = "Readers do not block writers, and a writer does not block readers."
    assert stands_in("readers do not block writers", quote)
    assert stands_in("Writers and a writer does not block readers.", quote)
    assert not stands_in("Readers do block writers", quote)
    assert not stands_in("eaders do not block", quote)
    assert not stands_in("block", quote)


WORDS = st.lists(st.text(alphabet="abÄß长0_", min_size=1), min_size=3)


@given(st.text(), WORDS, st.text())
def test_words_stand_in_any_text_around_them(before: str, words: list[str], after: str) -> None:
    text = " ".join(words)
    assert stands_in(f"{text}.", f"{before} {text} {after}")
