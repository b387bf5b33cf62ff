"""Texts of data sets as the pages and passages that readers take."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from ..evidence import Page
from ..runtime.passages import Passage

_UNDATED = datetime.fromtimestamp(0, UTC)


def text_page(title: str, text: str, *, sheet_starts: tuple[int, ...] = ()) -> Page:
    """A page that was never fetched: the same title and text are the same page."""
    digest = hashlib.sha256(f"{title}\0{text}".encode("utf-8", "replace")).hexdigest()
    return Page(
        page_id=digest,
        url="",
        final_url="",
        fetched_at=_UNDATED,
        media_type="text/plain",
        title=title,
        text=text,
        sheet_starts=sheet_starts,
    )


def paragraph(title: str, text: str) -> Passage:
    """A whole page as one passage."""
    return Passage(text_page(title, text), 0, len(text))
