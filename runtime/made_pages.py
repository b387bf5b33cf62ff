"""Pages of texts that were never fetched: paragraphs of data files, and made ones."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from ..evidence import Page

_UNDATED = datetime.fromtimestamp(0, UTC)


def made_page(title: str, text: str, *, sheet_starts: tuple[int, ...] = ()) -> Page:
    """A page of ``text``: the same title and text are the same page."""
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
