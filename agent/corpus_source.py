"""A corpus as a source."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ..cancellation import Cancellation
from ..tools.corpus import Corpus
from .sources import Found

_PASSAGES_PER_PAGE = 4
"""Passages looked at for each page wanted: several of the best are often of one page."""


@dataclass(frozen=True, slots=True)
class CorpusSource:
    """The pages of an indexed folder or site, by their best passage."""

    corpus: Corpus

    @property
    def name(self) -> str:
        return self.corpus.name

    async def find(self, query: str, *, limit: int, cancel: Cancellation) -> Found:
        """See :meth:`leadline.agent.sources.Source.find`."""

        def look_up() -> Found:
            hits = self.corpus.search(query, limit * _PASSAGES_PER_PAGE, cancel=cancel)
            page_ids = list(dict.fromkeys(hit.page_id for hit in hits))[:limit]
            return Found(pages=tuple(self.corpus.page(page_id) for page_id in page_ids))

        return await asyncio.to_thread(look_up)
