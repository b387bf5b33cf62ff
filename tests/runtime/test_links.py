"""Passages that name other pages."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from leadline.evidence import Page
from leadline.runtime.links import named_by
from leadline.runtime.passages import Passage


def passage(title: str, text: str) -> Passage:
    page = Page(
        page_id=hashlib.sha256((title + text).encode()).hexdigest(),
        url="",
        final_url="",
        fetched_at=datetime(2026, 1, 1, tzinfo=UTC),
        media_type="text/plain",
        title=title,
        text=text,
    )
    return Passage(page, 0, len(text))


LAMP = passage("The Brass Lamp", "A novel by Ida Holm, set in Port Arran.")
AUTHOR = passage("Ida Holm", "Ida Holm was born in Tarn.")
TOWN = passage("Port Arran", "A town on the coast.")
TARN = passage("Tarn", "A village. Nothing is known of it.")
OTHER = passage("Holm", "A kind of island.")


def test_the_higher_the_passage_that_names_a_page_the_more_it_counts() -> None:
    named = named_by([LAMP, AUTHOR, TOWN, TARN], [LAMP, AUTHOR])
    assert named == [0.0, 1.0, 1.0, 0.5]


def test_a_page_does_not_name_itself() -> None:
    assert named_by([AUTHOR], [AUTHOR]) == [0.0]


def test_a_title_counts_as_whole_words_only_whatever_their_case() -> None:
    shouting = passage("x", "IDA  HOLM, and the port-arran road.")
    assert named_by([AUTHOR, TOWN], [shouting]) == [1.0, 1.0]
    assert named_by([passage("Harbour", "")], [passage("y", "the Harbourmaster")]) == [0.0]


def test_short_titles_and_no_titles_are_not_looked_for() -> None:
    assert named_by([passage("It", "a film"), passage("", "no title")], [LAMP]) == [0.0, 0.0]
    assert named_by([AUTHOR], []) == [0.0]
    assert named_by([], [LAMP]) == []
