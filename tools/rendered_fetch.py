"""Pages that show nothing until their scripts have run, shown by a browser that has no network.

The browser asks for nothing itself: each of its requests is intercepted, and answered by our own
fetcher, behind the guard and within bounds, or refused. Chromium is started so that whatever
escapes the interception finds no way out either.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Self

import httpx

from ..cancellation import Cancellation, unless_cancelled
from ..errors import Cancelled, FetchError, LeadlineError
from .fetch import FetchedPage, Fetcher
from .network_guard import redacted

if TYPE_CHECKING:
    from playwright.async_api import Browser, Route, WebSocketRoute

_COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_NO_WAY_OUT = (
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--proxy-server=http://127.0.0.1:9",
    "--proxy-bypass-list=<-loopback>",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-background-networking",
    "--disable-extensions",
    "--disable-gpu",
    "--no-first-run",
)
_LOADED = frozenset({"script", "xhr", "fetch"})
"""Kinds of resources that text may depend on."""
_SETTLE_MS = 500


@dataclass(frozen=True, slots=True)
class RenderLimits:
    """What showing one page may take."""

    seconds: float = 20.0
    requests: int = 40
    bytes: int = 10 * 1024 * 1024
    """Of everything that the page loads, and of the page it comes to."""


@dataclass(slots=True)
class _Visit:
    """The state of one page that is being shown."""

    fetched: FetchedPage
    limits: RenderLimits
    cancel: Cancellation
    requests: int = 0
    bytes: int = 0


class BrowserRenderer:
    """Runs the scripts of fetched pages; use it as an async context manager.

    ``fetcher`` gets what a page loads, from the page's own host only. ``executable`` is the
    browser's path; None looks for Chromium. It is started for the first page that needs it.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        executable: str | None = None,
        limits: RenderLimits | None = None,
    ) -> None:
        self._fetcher = fetcher
        self._executable = executable
        self._limits = limits or RenderLimits()
        self._browser: Browser | None = None
        self._starting = asyncio.Lock()
        self._turns = asyncio.Semaphore(2)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def render(self, fetched: FetchedPage, *, cancel: Cancellation) -> FetchedPage:
        """``fetched`` as it stands after its scripts have run, in UTF-8.

        Raises:
            FetchError: there is no browser, or the page was not shown within the limits.
            Cancelled: stopped.
        """
        for reason in why_not(self._executable):
            raise FetchError(f"{redacted(fetched.url)} cannot be rendered", remedy=reason)
        return await unless_cancelled(self._rendered(fetched, cancel), cancel)

    async def _rendered(self, fetched: FetchedPage, cancel: Cancellation) -> FetchedPage:
        from playwright.async_api import Error

        visit = _Visit(fetched, self._limits, cancel)
        try:
            async with self._turns, asyncio.timeout(self._limits.seconds + 5):
                html = await self._show(visit)
        except (Error, TimeoutError) as error:
            raise FetchError(
                f"{redacted(fetched.url)} could not be rendered ({_reason(error)})",
                remedy="use another source",
            ) from error
        body = html.encode("utf-8", "replace")
        if len(body) > self._limits.bytes:
            raise FetchError(
                f"{redacted(fetched.url)} becomes larger than {self._limits.bytes / 1e6:,.1f} MB",
                remedy="use another source",
            )
        return replace(fetched, body=body, media_type="text/html", charset="utf-8")

    async def _show(self, visit: _Visit) -> str:
        browser = await self._started()
        context = await browser.new_context(accept_downloads=False, service_workers="block")
        try:
            page = await context.new_page()

            async def route(route: Route) -> None:
                await self._answer(route, visit)

            async def refuse(socket: WebSocketRoute) -> None:
                await socket.close()

            await context.route("**/*", route)
            await context.route_web_socket("**/*", refuse)
            milliseconds = self._limits.seconds * 1000
            # Not "load": a page that goes on loading has shown its text all the same.
            await page.goto(
                visit.fetched.final_url, wait_until="domcontentloaded", timeout=milliseconds
            )
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._limits.seconds / 2):
                    await page.wait_for_load_state("networkidle")
            await page.wait_for_timeout(_SETTLE_MS)
            return await page.content()
        finally:
            await context.close()

    async def _answer(self, route: Route, visit: _Visit) -> None:
        """Give the browser what it asks for, if a page may have it."""
        request = route.request
        own = visit.fetched
        if request.is_navigation_request():
            # The page itself comes first, and is here already; nobody goes anywhere else.
            if not visit.requests and request.url == _shown(own.final_url):
                visit.requests += 1
                await route.fulfill(body=own.body, content_type=_content_type(own))
            else:
                await route.fulfill(status=204)  # an error would be shown in the page's place
            return
        allowed = (
            request.method == "GET"
            and request.resource_type in _LOADED
            and _host(request.url) == _host(own.final_url)
            and visit.requests < visit.limits.requests
            and visit.bytes < visit.limits.bytes
        )
        if not allowed:
            await route.abort("blockedbyclient")
            return
        visit.requests += 1
        try:
            loaded = await self._fetcher.fetch_resource(request.url, cancel=visit.cancel)
        except Cancelled:
            await route.abort("aborted")
        except LeadlineError:
            await route.abort("failed")
        else:
            visit.bytes += len(loaded.body)
            await route.fulfill(body=loaded.body, content_type=_content_type(loaded))

    async def _started(self) -> Browser:
        from playwright.async_api import async_playwright

        async with self._starting:
            if self._browser is None:
                library = await self._stack.enter_async_context(async_playwright())
                self._browser = await library.chromium.launch(
                    executable_path=self._executable or _found(),
                    args=_NO_WAY_OUT,
                    chromium_sandbox=os.geteuid() != 0,  # which root cannot use
                )
                self._stack.push_async_callback(self._browser.close)
        return self._browser


def why_not(executable: str | None = None) -> Sequence[str]:
    """Every reason why no page can be rendered; empty if none is known."""
    reasons = []
    if importlib.util.find_spec("playwright") is None:
        reasons.append("the browser's library is not installed: pip install 'leadline[render]'")
    path = executable or _found()
    if path is None or shutil.which(path) is None:
        reasons.append("there is no Chromium: install it, or set browser to its path")
    return reasons


def _found() -> str | None:
    return next(filter(None, map(shutil.which, _COMMANDS)), None)


def _content_type(page: FetchedPage) -> str:
    return f"{page.media_type}; charset={page.charset}" if page.charset else page.media_type


def _host(url: str) -> tuple[str, str, int | None]:
    parsed = httpx.URL(url)
    return parsed.scheme, parsed.host, parsed.port


def _shown(url: str) -> str:
    """As a browser writes it: with a path."""
    parsed = httpx.URL(url)
    return str(parsed.copy_with(path=parsed.path or "/"))


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or "too slow"
