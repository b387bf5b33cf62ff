"""Walking a site from its start page, within one origin and path."""

from __future__ import annotations

import asyncio
import mimetypes
from collections import deque
from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Protocol
from urllib.parse import SplitResult, urldefrag, urljoin, urlsplit

from ..cancellation import Cancellation
from ..errors import CorpusError, ExtractionError, FetchError
from .extraction.charset import decode
from .extraction.html import links

_CONCURRENCY = 8
_TEXT_TYPES = ("text/", "application/pdf", "application/xhtml+xml", "application/json")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class FetchedBody(Protocol):
    """A page's bytes as a fetcher brings them."""

    @property
    def url(self) -> str: ...
    @property
    def final_url(self) -> str: ...
    @property
    def media_type(self) -> str: ...
    @property
    def charset(self) -> str | None: ...
    @property
    def body(self) -> bytes: ...
    @property
    def fetched_at(self) -> datetime: ...


class PageFetcher(Protocol):
    """Fetches pages; politeness and robots.txt are its business."""

    async def fetch(self, url: str, *, cancel: Cancellation) -> FetchedBody:
        """The page at ``url``.

        Raises:
            FetchError: it could not be fetched.
            Cancelled: ``cancel`` was set.
        """
        ...


async def crawl(
    start: str,
    fetcher: PageFetcher,
    *,
    max_pages: int,
    cancel: Cancellation,
    stored: Callable[[str], FetchedBody | None] = lambda url: None,
) -> AsyncIterator[tuple[str, FetchedBody | FetchError]]:
    """Pages reached from ``start`` by links, breadth first, each URL once, at most ``max_pages``.

    Only pages of the same scheme, host and port whose path begins with the start page's folder
    are followed. ``stored`` gives a page that need not be fetched again. A page that cannot be
    fetched is told as its error, and counts.

    Raises:
        CorpusError: ``start`` is no http(s) URL.
        Cancelled: ``cancel`` was set.
    """
    start = urldefrag(start).url
    scope = _Scope(start)
    queue, known = deque([start]), {start}
    running: dict[asyncio.Task[FetchedBody], str] = {}
    told: set[str] = set()
    begun = 0
    try:
        while queue or running:
            cancel.check()
            while queue and len(running) < _CONCURRENCY and begun < max_pages:
                url = queue.popleft()
                begun += 1
                running[asyncio.ensure_future(_get(url, fetcher, stored, cancel))] = url
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                url = running.pop(task)
                try:
                    page = task.result()
                except FetchError as error:
                    yield url, error
                    continue
                address = urldefrag(page.final_url).url
                known.add(address)
                if address in told or not scope.holds(address):
                    continue
                told.add(address)
                yield address, page
                for link in await asyncio.to_thread(_links, page):
                    if link not in known and scope.holds(link) and _may_hold_text(link):
                        known.add(link)
                        queue.append(link)
    finally:
        for task in running:
            task.cancel()


class _Scope:
    """The part of the web that a crawl stays in."""

    def __init__(self, start: str) -> None:
        parts = _split(start)
        if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise CorpusError(
                f"'{start}' is not the address of a site", remedy="give an http or https URL"
            )
        self._origin = _origin(parts)
        self._folder = (parts.path or "/").rpartition("/")[0] + "/"

    def holds(self, url: str) -> bool:
        parts = _split(url)
        return (
            parts is not None
            and _origin(parts) == self._origin
            and (parts.path or "/").startswith(self._folder)
        )


async def _get(
    url: str,
    fetcher: PageFetcher,
    stored: Callable[[str], FetchedBody | None],
    cancel: Cancellation,
) -> FetchedBody:
    page = await asyncio.to_thread(stored, url)
    return page if page is not None else await fetcher.fetch(url, cancel=cancel)


def _links(page: FetchedBody) -> list[str]:
    if "html" not in page.media_type:
        return []
    try:
        targets = links(decode(page.body, declared=page.charset, markup=True))
    except ExtractionError:
        return []  # Indexing the page says what is wrong with it.
    return [link for target in targets if (link := _resolved(page.final_url, target))]


def _resolved(base: str, target: str) -> str | None:
    try:
        return urldefrag(urljoin(base, target)).url
    except ValueError:
        return None


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises for a port that is no number
        return parts
    except ValueError:
        return None


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    return parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS.get(parts.scheme)


def _may_hold_text(url: str) -> bool:
    guessed, encoding = mimetypes.guess_type(urlsplit(url).path)
    if encoding is not None:
        return False
    return guessed is None or (guessed.startswith(_TEXT_TYPES) and guessed != "text/css")
