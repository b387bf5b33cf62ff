"""BM25: terms, weights, scripts without spaces, and queries that look like syntax."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.tools.lexical_index import LexicalEntry, LexicalIndex, match_expression

ENTRIES = [
    LexicalEntry(1, "The lead is armed with tallow to bring up the ground."),
    LexicalEntry(2, "Soundings are called in fathoms by the leadsman."),
    LexicalEntry(3, "Nothing of the kind.", title="The lead line"),
    LexicalEntry(4, "Call sqlite3_create_function() since version 3.8.2."),
    LexicalEntry(5, "测深锤用来测量水的深度。"),
    LexicalEntry(6, "北京是中华人民共和国的首都。"),
    LexicalEntry(7, "Die Tiefe wird in Fäden gemessen, nicht in Metern."),
]


@pytest.fixture
def index() -> LexicalIndex:
    return LexicalIndex.in_memory(ENTRIES)


def keys(index: LexicalIndex, query: str, k: int = 10) -> list[int]:
    return [key for key, _ in index.search(query, k)]


@pytest.mark.parametrize(
    ("query", "best"),
    [
        ("Which fathom is sounded?", 2),
        ("arming the lead with tallow", 1),
        ("lead line", 3),
        ("sqlite3_create_function", 4),
        ("what is new in 3.8.2?", 4),
        ("水有多深,怎么测量?", 5),
        ("中国的首都是哪里", 6),
        ("Faden messen", 7),
    ],
)
def test_finds(index: LexicalIndex, query: str, best: int) -> None:
    assert keys(index, query)[0] == best


def test_scores_fall_and_k_limits(index: LexicalIndex) -> None:
    scores = [score for _, score in index.search("lead fathoms tallow", 10)]
    assert scores == sorted(scores, reverse=True) and len(scores) == 3
    assert len(index.search("lead fathoms tallow", 2)) == 2
    assert index.search("lead", 0) == []


def test_an_identifier_is_a_phrase(index: LexicalIndex) -> None:
    assert keys(index, "sqlite3_function_create") == []


def test_stop_words_count_only_alone(index: LexicalIndex) -> None:
    assert keys(index, "what is the tallow of it") == [1]
    assert keys(index, "of the")[0] == 3


def test_removed_entries_are_not_found(index: LexicalIndex) -> None:
    index.remove([2, 99])
    assert keys(index, "fathoms") == []


@pytest.mark.parametrize("query", ["", "  ", "?!", "\0", '"', "'", "***", "()"])
def test_queries_without_a_term_find_nothing(index: LexicalIndex, query: str) -> None:
    assert match_expression(query) == "" and keys(index, query) == []


@pytest.mark.parametrize(
    "query",
    [
        *['"tallow', "tallow*", "text:tallow", "NEAR(tallow lead)", "tallow AND", "-tallow"],
        *["^tallow", "tallow OR NOT", "{title text}: tallow", "tallow + lead", "(tallow"],
    ],
)
def test_syntax_in_a_query_is_text(index: LexicalIndex, query: str) -> None:
    assert 1 in keys(index, query)


@given(st.text(max_size=80))
def test_no_query_breaks_the_index(query: str) -> None:
    LexicalIndex.in_memory(ENTRIES).search(query, 5)


def test_a_very_long_query_is_searched(index: LexicalIndex) -> None:
    assert keys(index, "tallow " + " ".join(f"w{n}" for n in range(20_000)))[0] == 1
