"""Passages that name other pages: the way from one hop of a question to the next."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .passages import Passage

_WORD = re.compile(r"[^\W_]+")
_SHORTEST = 4
"""Characters of a title that is looked for: shorter ones are words like any other."""


def named_by(passages: Sequence[Passage], naming: Sequence[Passage]) -> list[float]:
    """For each passage, how high up in ``naming`` (best first) its page's title is written.

    1 where the first one names it, 1/2 for the second and so on, 0 where none does. A page does
    not name itself.
    """
    ranks: dict[str, float] = {}
    texts = [(passage.page.page_id, _folded(passage.titled_text)) for passage in naming]
    for page in {passage.page.page_id: passage.page for passage in passages}.values():
        title = _folded(page.title)
        if len(title.strip()) < _SHORTEST:
            continue
        for rank, (page_id, text) in enumerate(texts, start=1):
            if page_id != page.page_id and title in text:
                ranks[page.page_id] = 1 / rank
                break
    return [ranks.get(passage.page.page_id, 0.0) for passage in passages]


def _folded(text: str) -> str:
    """Words between single spaces, so that a title is found as whole words only."""
    return f" {' '.join(_WORD.findall(text.casefold()))} "
