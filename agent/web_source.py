"""The web as a source: search, fetch, extract, keep."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from ..cancellation import Cancellation
from ..errors import Cancelled, LeadlineError
from ..evidence import Page
from ..tools.near_duplicates import distinct
from ..tools.search.multi_search import MultiSearch
from ..tools.search.protocol import SearchBackend, SearchResult
from ..tools.web_pages import WebPages
from .sources import Found

WEB = "web"
"""The source's name."""


@dataclass(frozen=True, slots=True)
class WebSource:
    """Pages that a search backend names, opened and kept by ``pages``.

    ``need`` is what kind of source is searched for, where several could be asked.
    """

    backend: SearchBackend
    pages: WebPages
    need: str = ""

    @property
    def name(self) -> str:
        return WEB

    @property
    def chooses(self) -> bool:
        """See :class:`leadline.agent.sources.ChoosingSource`."""
        return isinstance(self.backend, MultiSearch) and self.backend.chooses

    def needing(self, need: str) -> WebSource:
        """See :class:`leadline.agent.sources.ChoosingSource`."""
        return replace(self, need=need)

    async def find(self, query: str, *, limit: int, cancel: Cancellation) -> Found:
        """See :meth:`leadline.agent.sources.Source.find`; a page that fails becomes a warning."""
        if isinstance(self.backend, MultiSearch):
            results = await self.backend.search(query, limit=limit, need=self.need, cancel=cancel)
        else:
            results = await self.backend.search(query, limit=limit, cancel=cancel)
        outcomes = await asyncio.gather(*(self._open(result, cancel) for result in results))
        opened = [outcome for outcome in outcomes if isinstance(outcome, Page)]
        return Found(
            pages=tuple(await asyncio.to_thread(distinct, opened)),
            warnings=tuple(outcome for outcome in outcomes if isinstance(outcome, str)),
        )

    async def _open(self, result: SearchResult, cancel: Cancellation) -> Page | str:
        """The page that ``result`` names or brings along, or why it cannot be had."""
        try:
            if result.text:
                return await self.pages.keep_text(result.text, result.url)
            return await self.pages.open(result.url, cancel=cancel)
        except Cancelled:
            raise
        except LeadlineError as error:
            return str(error)
