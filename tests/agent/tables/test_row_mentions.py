"""Which rows sentences speak of."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.tables.row_mentions import RowMentions

MODES = [("DELETE",), ("TRUNCATE",), ("OFF",)]
TEXT = (
    "The DELETE mode is the normal behavior. The journal is deleted at the end. "
    "The TRUNCATE mode truncates the journal instead of deleting it. "
    "This is faster. The OFF mode switches rollback off."
)


def about(mentions: RowMentions, text: str, under: str = "") -> list[set[int]]:
    return [set(rows) for _, rows in mentions.in_sentences(text, under)]


def test_a_sentence_without_a_name_goes_on_about_the_row_before() -> None:
    assert about(RowMentions(MODES), TEXT) == [{0}, {0}, {1}, {1}, {2}]


def test_the_first_sentences_are_about_what_the_headings_name() -> None:
    mentions = RowMentions([("Ash",), ("Elm",)])
    text = "It is 310 km long. The Elm is longer."
    assert about(mentions, text, "Rivers › Ash (river)") == [{0}, {1}]
    assert about(mentions, text) == [set(), {1}]


def test_capitals_name_only_what_stands_in_capitals() -> None:
    mentions = RowMentions([("OFF",), ("Elm",)])
    assert mentions.named_in("It was switched off under an elm.") == {1}


def test_names_are_whole_words_across_lines_and_without_spaces_in_chinese() -> None:
    mentions = RowMentions([("New York",), ("York",), ("长江",)])
    assert mentions.named_in("in New\nYork") == {0, 1}
    assert mentions.named_in("Yorkshire") == set()
    assert mentions.named_in("中国的长江很长") == {2}


def test_of_rows_that_share_a_key_the_one_with_most_is_meant() -> None:
    mentions = RowMentions([("Oak", "1990"), ("Oak", "1994"), ("Elm", "1990")])
    assert mentions.named_in("Oak won in 1994.") == {1}
    assert mentions.named_in("Oak won.") == {0, 1}


@given(st.lists(st.text(min_size=1, max_size=12), max_size=4), st.text(max_size=80))
def test_every_sentence_is_told_for_any_names_and_text(names: list[str], text: str) -> None:
    mentions = RowMentions([(name,) for name in names])
    for (start, end), rows in mentions.in_sentences(text, text[:5]):
        assert 0 <= start < end <= len(text)
        assert rows <= set(range(len(names)))
