"""What earlier runs found, as a source: pages that are read anew for the question at hand."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ..cancellation import Cancellation
from ..errors import LeadlineError
from ..evidence import Page
from ..tools.page_store import PageStore
from .memory import Memory, Recollection
from .run_archive import page_as_read
from .run_store import RunStore
from .sources import Found, Recalled

MEMORY = "memory"
"""The source's name."""
_PER_PAGE = 4
"""Recollections looked at for each page wanted: several are often of one page."""


@dataclass(frozen=True, slots=True)
class MemorySource:
    """The pages that earlier runs cited, as they are stored."""

    memory: Memory
    runs: RunStore
    pages: PageStore

    @property
    def name(self) -> str:
        return MEMORY

    async def find(self, query: str, *, limit: int, cancel: Cancellation) -> Found:
        """See :meth:`leadline.agent.sources.Source.find`.

        A page that is no longer kept, or no longer holds the words that were cited, is left out.
        """

        def look_up() -> Found:
            self.memory.update(self.runs, cancel=cancel)
            found = self.memory.recall(query, limit=limit * _PER_PAGE, cancel=cancel)
            pages: dict[str, Page] = {}
            recalled: list[Recalled] = []
            for recollection in found:
                page = self._checked(recollection)
                if page is None or (page.page_id not in pages and len(pages) == limit):
                    continue
                pages[page.page_id] = page
                recalled.append(
                    Recalled(
                        page_id=page.page_id,
                        url=recollection.url,
                        claim=recollection.claim,
                        run_id=recollection.run_id,
                        found_at=recollection.finished_at,
                    )
                )
            return Found(tuple(pages.values()), recalled=tuple(recalled))

        return await asyncio.to_thread(look_up)

    def _checked(self, recollection: Recollection) -> Page | None:
        try:
            page = page_as_read(self.pages, recollection.page_id, recollection.url)
        except LeadlineError:
            return None
        quoted = page.text[recollection.start : recollection.end]
        return page if quoted == recollection.quote else None
