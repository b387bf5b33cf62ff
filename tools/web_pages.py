"""From an address on the web to a stored page: what is kept and young enough, else fetched."""

from __future__ import annotations

import asyncio
import contextlib
import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from ..cancellation import Cancellation
from ..errors import ExtractionError, FetchError
from ..evidence import Page
from .fetch import FetchedPage, Fetcher
from .intake import keep
from .network_guard import redacted
from .page_storage import PageStorage

_SAYS_LITTLE = 200
"""Characters of text below which a page with scripts may need them to show what it says."""


class Renderer(Protocol):
    """Runs the scripts of a fetched page."""

    async def render(self, fetched: FetchedPage, *, cancel: Cancellation) -> FetchedPage: ...


@dataclass(frozen=True, slots=True)
class Reuse:
    """When a kept page or a kept list of search results is taken instead of a new one."""

    seconds: float = 0.0
    """Younger ones are taken without a request."""
    offline: bool = False
    """Kept ones are taken however old they are, and nothing is ever asked for."""

    def takes(self, made_at: datetime) -> bool:
        """Whether what was had at ``made_at`` is taken."""
        limit = math.inf if self.offline else self.seconds
        return (datetime.now(UTC) - made_at).total_seconds() < limit


@dataclass(frozen=True, slots=True)
class WebPages:
    """Opens pages of the web, each fetch of them kept in ``store``.

    With a ``renderer``, the scripts of pages that say nothing without them are run.
    """

    fetcher: Fetcher
    store: PageStorage
    reuse: Reuse = Reuse()
    renderer: Renderer | None = None

    async def open(self, url: str, *, cancel: Cancellation, confirm: bool = False) -> Page:
        """The page at ``url``; with ``confirm`` its server is asked, however young the kept one is.

        Raises:
            FetchError: see :meth:`Fetcher.fetch`; or offline, and the page is not kept.
            ExtractionError: there is no text to be had from it.
            StorageError: the disk refused.
            Cancelled: ``cancel`` was set.
        """
        address = self.fetcher.check_url(url)
        if not confirm and (page := await asyncio.to_thread(self._kept, url, address)):
            return page
        if self.reuse.offline:
            raise FetchError(
                f"{redacted(url)} is not kept, and nothing is fetched offline",
                remedy="unset LEADLINE_OFFLINE to fetch it",
            )
        try:
            async with self.fetcher.held(url, cancel=cancel, confirm=confirm) as fetched:
                page = await asyncio.to_thread(keep, fetched, self.store)
        except ExtractionError:
            if self.renderer is None or fetched.media_type != "text/html":
                raise
            return await self._rendered(self.renderer, fetched, cancel)
        if (
            self.renderer is not None
            and fetched.media_type == "text/html"
            and len(page.text) < _SAYS_LITTLE
            and b"<script" in fetched.body.lower()
        ):
            with contextlib.suppress(FetchError, ExtractionError):
                return await self._rendered(self.renderer, fetched, cancel)
        return page

    async def _rendered(
        self, renderer: Renderer, fetched: FetchedPage, cancel: Cancellation
    ) -> Page:
        rendered = await renderer.render(fetched, cancel=cancel)
        return await asyncio.to_thread(keep, rendered, self.store)

    async def keep_text(self, text: str, address: str) -> Page:
        """``text`` that a search backend gave instead of a page, kept as one at ``address``.

        Raises:
            ExtractionError: it is no text.
            StorageError: the disk refused.
        """
        given = FetchedPage(
            url=address,
            final_url=address,
            media_type="text/plain",
            charset="utf-8",
            body=text.encode("utf-8", "replace"),
            fetched_at=datetime.now(UTC),
            status=200,
        )
        return await asyncio.to_thread(keep, given, self.store)

    def _kept(self, url: str, address: str) -> Page | None:
        page = self.store.latest(url.strip(), address)
        return page if page is not None and self.reuse.takes(page.fetched_at) else None
