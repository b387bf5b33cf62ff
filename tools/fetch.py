"""Fetches one page from the web: guarded, polite, bounded in time and size."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from types import TracebackType
from typing import Self

import httpcore
import httpx

from .. import __version__
from ..cancellation import Cancellation, unless_cancelled
from ..errors import FetchError
from ..retrying import RetryTransport, retry_after
from .fetch_failures import check_declared_type, check_status, explained, resting, unreadable
from .host_slots import HostAtRest, HostSlots
from .http_body import ACCEPT_ENCODING, read_body
from .http_cache import arrived_at, cached
from .media_types import ACCEPT, declared_type, is_readable, true_type
from .network_guard import GuardedTransport, NetworkGuard, redacted
from .robots import MAX_ROBOTS_BYTES, PRODUCT_TOKEN, RobotsCache, RobotsResponse

USER_AGENT = f"{PRODUCT_TOKEN}/{__version__}"


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A page's bytes as the server sent them, after content decoding."""

    url: str
    """What was asked for."""
    final_url: str
    """Where the bytes came from after redirects."""
    media_type: str
    """Lower case, without parameters; what the bytes are where the header is missing or lies."""
    charset: str | None
    """As declared by the header."""
    body: bytes
    fetched_at: datetime
    """When the server sent them, or last said that they still hold."""
    status: int


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """How much a page may take and how hard a host may be asked."""

    seconds: float = 30.0
    """For one page with its redirects and retries, without waiting for a turn."""
    silence: float = 10.0
    """Seconds between two pieces of an answer."""
    bytes: int = 20 * 1024 * 1024
    """Of the body after decompression."""
    redirects: int = 5
    concurrency: int = 32
    """Requests at once."""
    per_host: int = 4
    """Requests at once to one host."""
    host_delay: float = 0.2
    """Seconds between the starts of two requests to one host."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one request came to; ``body`` is empty for a redirect."""

    status: int
    headers: httpx.Headers
    body: bytes


class Fetcher:
    """Fetches pages; use it as an async context manager, from one event loop.

    Every URL, redirects included, is checked by ``guard`` and, unless ``respect_robots`` is off,
    against its origin's robots.txt. Cookies live for one page and its redirects only.

    ``proxy`` ("http://host:port") is the only way to use one, the environment's are ignored. The
    proxy resolves the names, so that the guard then sees the form of a URL but not its address.
    ``ssl_context`` and ``connector`` replace the authorities and the way to an address. With a
    folder for ``cache``, answers are kept there and used again as RFC 9111 says.

    Raises:
        StorageError: the cache's folder cannot be made.
    """

    def __init__(
        self,
        guard: NetworkGuard | None = None,
        *,
        limits: FetchLimits | None = None,
        respect_robots: bool = True,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        connector: httpcore.AsyncNetworkBackend | None = None,
        cache: Path | None = None,
    ) -> None:
        self._guard = guard or NetworkGuard()
        self._limits = limits = limits or FetchLimits()
        self._slots = HostSlots(
            total=limits.concurrency, per_host=limits.per_host, delay=limits.host_delay
        )
        self._room = asyncio.Semaphore(limits.concurrency)
        self._robots = RobotsCache(self._ask_robots) if respect_robots else None
        transport: httpx.AsyncBaseTransport = (
            httpx.AsyncHTTPTransport(proxy=proxy, http2=True, trust_env=False)
            if proxy
            else GuardedTransport(
                self._guard,
                ssl_context=ssl_context,
                connector=connector,
                max_connections=limits.concurrency,
            )
        )
        transport = RetryTransport(
            transport, attempts=3, longest_wait=limits.seconds / 2, waits=self._leave_alone
        )
        if cache is not None:
            transport = cached(transport, cache, max_answer_bytes=limits.bytes)
        self._client = httpx.AsyncClient(
            transport=transport,
            headers={
                "User-Agent": USER_AGENT,
                "Accept": ACCEPT,
                "Accept-Encoding": ACCEPT_ENCODING,
            },
            timeout=httpx.Timeout(limits.silence, pool=None),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._client.__aexit__(exc_type, exc, traceback)

    def check_url(self, url: str) -> str:
        """``url`` as it would be asked for, without its fragment.

        Raises:
            FetchError: the guard refuses it.
        """
        return str(self._guard.check_url(url))

    async def fetch(self, url: str, *, cancel: Cancellation, confirm: bool = False) -> FetchedPage:
        """The page at ``url``; with ``confirm`` its server is asked however fresh the cached one is.

        Raises:
            FetchError: refused by the guard or robots.txt; host not found, connection refused or
                broken, TLS failure; a status that is no success; a redirect loop; too slow, too
                large, undecodable, empty, or of a media type that holds no text.
            Cancelled: stopped; the socket is closed.
        """
        async with self.held(url, cancel=cancel, confirm=confirm) as fetched:
            return fetched

    @asynccontextmanager
    async def held(
        self, url: str, *, cancel: Cancellation, confirm: bool = False
    ) -> AsyncIterator[FetchedPage]:
        """As :meth:`fetch`, for a page that is in hand until it is left.

        No more than ``concurrency`` pages are awaited or in hand, so that bodies do not pile up
        where they come faster than they are kept.
        """
        async with AsyncExitStack() as hand:
            yield await unless_cancelled(self._follow(url, hand, confirm=confirm), cancel)

    async def fetch_resource(self, url: str, *, cancel: Cancellation) -> FetchedPage:
        """What a page loads, of whatever media type; otherwise as :meth:`fetch`."""
        async with AsyncExitStack() as hand:
            following = self._follow(url, hand, confirm=False, any_type=True)
            return await unless_cancelled(following, cancel)

    async def _follow(
        self, url: str, hand: AsyncExitStack, *, confirm: bool, any_type: bool = False
    ) -> FetchedPage:
        """The page; it takes its room for as long as ``hand`` is open."""
        target = self._guard.check_url(url)
        cookies = httpx.Cookies()
        seconds = self._limits.seconds
        seen: set[tuple[str, str]] = set()
        for _ in range(self._limits.redirects + 1):
            # A redirect to the same page is no loop if it set a cookie first.
            step = (str(target), repr(sorted((c.name, c.value) for c in cookies.jar)))
            if step in seen:
                raise FetchError(
                    f"{redacted(url)} redirects in a loop", remedy="use another source"
                )
            seen.add(step)
            await self._check_robots(target)
            host = target.netloc.decode()
            try:
                async with self._slots.slot(host, patience=seconds):
                    if not any_type:
                        await hand.enter_async_context(self._room)
                    started = time.monotonic()
                    answer = await self._ask_page(target, cookies, seconds, confirm, any_type)
                    seconds -= time.monotonic() - started
            except HostAtRest as error:
                raise resting(str(target), error.seconds) from error
            if location := _redirect(answer):
                await hand.aclose()  # whoever holds room must not wait for a turn
                target = self._guard.check_url(_joined(target, location))
                continue
            return _page(url, target, answer, any_type)
        raise FetchError(
            f"{redacted(url)} redirects more than {self._limits.redirects} times",
            remedy="use another source",
        )

    async def _ask_page(
        self,
        url: httpx.URL,
        cookies: httpx.Cookies,
        seconds: float,
        confirm: bool,
        any_type: bool,
    ) -> _Answer:
        headers = {"Cache-Control": "no-cache"} if confirm else {}
        with self._explained(url):
            async with asyncio.timeout(seconds), AsyncExitStack() as stack:
                request = self._client.build_request("GET", url, headers=headers, cookies=cookies)
                response = await self._client.send(request, stream=True)
                stack.push_async_callback(response.aclose)
                cookies.extract_cookies(response)
                answer = _Answer(response.status_code, response.headers, b"")
                if _redirect(answer):
                    return answer
                check_status(str(url), response.status_code, retry_after(response))
                if not any_type:
                    check_declared_type(str(url), response.headers)
                body = await read_body(response, self._limits.bytes)
                return _Answer(response.status_code, response.headers, body)

    def _leave_alone(self, request: httpx.Request, seconds: float) -> None:
        self._slots.rest(request.url.netloc.decode(), seconds)

    def _explained(self, url: httpx.URL) -> AbstractContextManager[None]:
        limits = self._limits
        return explained(
            str(url), seconds=limits.seconds, silence=limits.silence, max_bytes=limits.bytes
        )

    async def _check_robots(self, url: httpx.URL) -> None:
        if self._robots is None:
            return
        host = url.netloc.decode()
        verdict = await self._robots.verdict(f"{url.scheme}://{host}", str(url))
        self._slots.ask_delay(host, verdict.delay)
        if not verdict.allowed:
            raise FetchError(
                f"{redacted(str(url))} may not be fetched, {verdict.reason}",
                remedy="use another source",
            )

    async def _ask_robots(self, url: str) -> RobotsResponse:
        """The robots.txt at ``url``; one that redirects too often counts as absent (§2.3.1.2)."""
        target = self._guard.check_url(url)
        for _ in range(self._limits.redirects + 1):
            with self._explained(target):
                async with asyncio.timeout(self._limits.seconds), AsyncExitStack() as stack:
                    request = self._client.build_request("GET", target)
                    response = await self._client.send(request, stream=True)
                    stack.push_async_callback(response.aclose)
                    answer = _Answer(response.status_code, response.headers, b"")
                    location = _redirect(answer)
                    if not location:
                        body = await read_body(response, MAX_ROBOTS_BYTES, truncate=True)
                        return RobotsResponse(response.status_code, body)
            target = self._guard.check_url(_joined(target, location))
        return RobotsResponse(404, b"")


def _redirect(answer: _Answer) -> str:
    """Where the answer sends us; empty if it is no redirect."""
    if answer.status in (301, 302, 303, 307, 308):
        return str(answer.headers.get("Location", ""))
    return ""


def _joined(base: httpx.URL, location: str) -> str:
    try:
        return str(base.join(location))
    except (httpx.InvalidURL, ValueError) as error:
        raise FetchError(
            f"{redacted(str(base))} redirects to {redacted(location)!r}, which is no valid URL",
            remedy="use another source",
        ) from error


def _page(url: str, target: httpx.URL, answer: _Answer, any_type: bool) -> FetchedPage:
    media_type, charset = declared_type(answer.headers)
    if not any_type:
        media_type = true_type(media_type, answer.body, charset)
        if not answer.body.strip():
            raise FetchError(f"{redacted(str(target))} is empty", remedy="use another source")
        if not is_readable(media_type):
            raise unreadable(str(target), media_type)
    return FetchedPage(
        url=url.strip(),
        final_url=str(target),
        media_type=media_type,
        charset=charset,
        body=answer.body,
        fetched_at=arrived_at(answer.headers),
        status=answer.status,
    )
