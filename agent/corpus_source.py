"""A corpus as a source."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from ..cancellation import Cancellation
from ..evidence import Page
from ..tools.corpus import Corpus
from .sources import MOST_PAGES, Found, filled

_PASSAGES_PER_PAGE = 4
"""Passages looked at for each page wanted: several of the best are often of one page."""


@dataclass(frozen=True, slots=True)
class CorpusSource:
    """The pages of an indexed folder or site, by their best passage."""

    corpus: Corpus
    least_characters: int = 0
    """Short pages are given beyond the limit until they hold so much together: they are at hand."""

    @property
    def name(self) -> str:
        return self.corpus.name

    async def find(self, query: str, *, limit: int, cancel: Cancellation) -> Found:
        """See :meth:`leadline.agent.sources.Source.find`."""

        def look_up() -> Found:
            pages = list(self._best(query, limit, cancel))
            if (
                len(pages) == limit
                and sum(len(page.text) for page in pages) < self.least_characters
            ):
                deeper = list(self._best(query, max(limit, MOST_PAGES), cancel))
                pages = filled(deeper, limit, self.least_characters)
            return Found(pages=tuple(pages))

        return await asyncio.to_thread(look_up)

    def _best(self, query: str, limit: int, cancel: Cancellation) -> Iterator[Page]:
        hits = self.corpus.search(query, limit * _PASSAGES_PER_PAGE, cancel=cancel)
        for page_id in list(dict.fromkeys(hit.page_id for hit in hits))[:limit]:
            yield self.corpus.page(page_id)
