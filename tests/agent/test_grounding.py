from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.grounding import coverage, sources_of, stands_in, unfounded_terms

PASSAGES = [
    "try1_stmt ::= try suite except expression else suite",
    "The optional else clause is executed if the control flow leaves the try suite.",
    "A break statement terminates the loop without executing the else clause.",
]


def test_a_passage_named_in_error_gives_way_to_the_one_with_the_words() -> None:
    statement = "The else clause is executed if control flow leaves the try suite."
    assert sources_of(statement, PASSAGES, named=[0, 2]) == [1]


def test_a_passage_named_rightly_stays_alone() -> None:
    statement = "The optional else clause is executed if the control flow leaves the try suite."
    assert sources_of(statement, PASSAGES, named=[0, 1, 2]) == [1]


def test_two_passages_that_say_the_same_both_stay() -> None:
    twins = ["It opened in 1902.", "It was opened in 1902, they say."]
    assert sources_of("It opened in 1902.", twins, named=[1, 0]) == [0, 1]


def test_a_statement_in_another_language_keeps_what_was_named() -> None:
    assert sources_of("Der Hafen wurde gebaut", PASSAGES, named=[2]) == [2]


def test_chinese_is_compared_by_pairs_of_characters() -> None:
    assert coverage("长江全长", "长江全长6300公里") == 1.0
    assert coverage("长江全长", "黄河的水") == 0.0


@given(
    st.text(),
    st.lists(st.text(), min_size=1, max_size=5),
    st.lists(st.integers(0, 4), min_size=1, max_size=4),
)
def test_there_is_always_a_source_and_it_exists(
    statement: str, passages: list[str], named: list[int]
) -> None:
    real = [index for index in dict.fromkeys(named) if index < len(passages)]
    found = sources_of(statement, passages, real)
    assert all(0 <= index < len(passages) for index in found)
    assert len(found) == len(set(found)) <= 3
    assert found or not real


@given(st.text(min_size=1))
def test_a_statement_covers_itself(text: str) -> None:
    assert coverage(text, text) in (0.0, 1.0)


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
