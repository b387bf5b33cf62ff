"""The web as a source: search, fetch, extract, keep."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ..cancellation import Cancellation
from ..errors import Cancelled, LeadlineError
from ..evidence import Page
from ..tools.near_duplicates import distinct
from ..tools.search.protocol import SearchBackend, SearchResult
from ..tools.web_pages import WebPages
from .sources import Found

WEB = "web"
"""The source's name."""


@dataclass(frozen=True, slots=True)
class WebSource:
    """Pages that a search backend names, opened and kept by ``pages``."""

    backend: SearchBackend
    pages: WebPages

    @property
    def name(self) -> str:
        return WEB

    async def find(self, query: str, *, limit: int, cancel: Cancellation) -> Found:
        """See :meth:`leadline.agent.sources.Source.find`; a page that fails becomes a warning."""
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
