"""Texts of data sets as the passages that readers take."""

from __future__ import annotations

from ..runtime.made_pages import made_page
from ..runtime.passages import Passage


def paragraph(title: str, text: str) -> Passage:
    """A whole page as one passage."""
    return Passage(made_page(title, text), 0, len(text))
