"""Sentences and passages by offsets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.segmentation import passages, sentences

WORDS = ["Word ", "3.14 ", "Dr. ", "end. ", "A. ", "http://a.b/c?d=e ", "w" * 42]
SIGNS = ["。", "中文", "é", "😀", "\u2029", "\u00a0", "\ud800", "\t", "\n", "\n\n", "\r\n"]
LINES = ["- item\n", "# Head\n", "| a | b |\n"]
PIECES = st.sampled_from(WORDS + SIGNS + LINES)
TEXTS = st.one_of(st.text(max_size=120), st.lists(PIECES, max_size=40).map("".join))


def cut(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It is 3.14 million. See https://a.example/b.c?d=e. Then go.", 3),
        ("Written by Dr. J. Smith of the U.S. Army, e.g. in 1999. He left.", 2),
        ("圆周率约为3.14。这是第二句！真的吗？他说：“你好。”然后走了。", 5),
        ('"Is it?" she asked. No... maybe.', 2),
        ("", 0),
        (" \n\t ", 0),
    ],
)
def test_sentence_ends(text: str, expected: int) -> None:
    assert len(cut(text)) == expected


def test_a_hard_wrapped_sentence_stays_whole() -> None:
    text = "The command line shell can be used to open a\ndatabase that was made before. It is small.\n"
    assert cut(text) == [
        "The command line shell can be used to open a\ndatabase that was made before.",
        "It is small.",
    ]


def test_structure_ends_a_sentence() -> None:
    text = "# Limits\nDefaults follow\n\n- one column\n- two columns\n| a | b |\n|---|---|\n| 1.5 | 2 |\nEnd"
    assert cut(text) == [
        "# Limits",
        "Defaults follow",
        "- one column",
        "- two columns",
        "| a | b |",
        "|---|---|",
        "| 1.5 | 2 |",
        "End",
    ]


def test_lines_of_a_page_without_full_stops_stay_apart() -> None:
    assert cut("Home\nProducts\nAbout us") == ["Home", "Products", "About us"]


def test_unpunctuated_text_without_spaces_is_kept() -> None:
    text = "字" * 5000
    assert sentences(text) == [(0, 5000)]
    assert "".join(text[a:b] for a, b in passages(text, max_chars=1000)) == text


def test_passages_prefer_to_break_at_blank_lines() -> None:
    first, second = "One two three four. " * 6, "Five six seven eight. " * 8
    text = f"{first.strip()}\n\n{second.strip()}"
    cuts = passages(text, max_chars=200)
    assert text[slice(*cuts[0])] == first.strip()


def test_overlap_repeats_whole_sentences() -> None:
    text = "Alpha is one. Beta is two. Gamma is three. Delta is four."
    cuts = passages(text, max_chars=30, overlap=15)
    assert [text[a:b] for a, b in cuts][:2] == [
        "Alpha is one. Beta is two.",
        "Beta is two. Gamma is three.",
    ]
    assert cuts[-1][1] == len(text)


@pytest.mark.parametrize(("max_chars", "overlap"), [(0, 0), (10, 10), (10, -1)])
def test_impossible_sizes_are_refused(max_chars: int, overlap: int) -> None:
    with pytest.raises(ValueError, match="overlap"):
        passages("text", max_chars=max_chars, overlap=overlap)


def assert_cover(text: str, spans: list[tuple[int, int]]) -> None:
    position = 0
    for start, end in spans:
        assert position <= start < end
        assert text[start:end] == text[start:end].strip()
        assert not text[position:start].strip()
        position = end
    assert not text[position:].strip()


@settings(deadline=None)
@given(TEXTS)
def test_sentences_cover_the_text_in_order(text: str) -> None:
    assert_cover(text, sentences(text))


@settings(deadline=None)
@given(TEXTS, st.integers(1, 80))
def test_passages_cover_the_text_and_keep_to_the_size(text: str, max_chars: int) -> None:
    spans = passages(text, max_chars=max_chars)
    assert_cover(text, spans)
    assert all(end - start <= max_chars for start, end in spans)


@settings(deadline=None)
@given(TEXTS, st.integers(2, 80), st.integers(0, 40))
def test_overlapping_passages_advance_and_drop_nothing(text: str, size: int, overlap: int) -> None:
    spans = passages(text, max_chars=size, overlap=min(overlap, size - 1))
    covered = set[int]()
    for start, end in spans:
        covered.update(range(start, end))
    assert all(index in covered for index, character in enumerate(text) if not character.isspace())
    assert [a for a, _ in spans] == sorted({a for a, _ in spans})
