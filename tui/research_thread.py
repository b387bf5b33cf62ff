"""Research beside the screen: a thread with a loop of its own, at a lower priority.

The screens' loop never waits for it. What a run says is laid down in a :class:`RunFeed`, from which
a screen takes it a few times a second.
"""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from ..agent.assembly import Wishes
from ..agent.report import Report
from ..agent.researcher import Researcher
from ..cancellation import Cancellation, unless_cancelled
from ..errors import Cancelled
from ..progress import Progress
from .run_feed import RunFeed

_NICENESS = 5
"""Keys are answered first, however many threads compute; those inherit it from this one."""
_CLOSING_SECONDS = 5.0


T = TypeVar("T")


class OpenResearcher(Protocol):
    """Makes a researcher; :func:`~leadline.agent.assembly.open_researcher` is one."""

    def __call__(
        self,
        wishes: Wishes,
        *,
        cancel: Cancellation,
        progress: Progress,
        warn: Callable[[str], None],
    ) -> AbstractAsyncContextManager[Researcher]: ...


Start = Callable[[Researcher, RunFeed], Awaitable[Report]]
"""Begins or resumes a run whose events, progress and questions go to the feed."""


@dataclass(eq=False, slots=True)
class _Opened:
    """A researcher that is kept open for the next question with the same wishes."""

    wishes: Wishes
    researcher: asyncio.Future[Researcher]
    feeds: list[RunFeed]
    cancel: Cancellation = field(default_factory=Cancellation)
    """Ends the opening."""
    told: dict[str, tuple[int, int | None, str]] = field(default_factory=dict)
    """How far the opening is, by task."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    keeper: asyncio.Task[None] | None = None

    def warn(self, message: str) -> None:
        for feed in list(self.feeds):
            feed.warn(message)

    def progress(self, task: str, done: int, total: int | None, unit: str) -> None:
        self.told[task] = (done, total, unit)
        for feed in list(self.feeds):
            feed.progress(task, done, total, unit)

    def join(self, feed: RunFeed) -> None:
        """Have ``feed`` told how far the opening is."""
        self.feeds.append(feed)
        for task, amount in list(self.told.items()):
            feed.progress(task, *amount)

    def leave(self, feed: RunFeed) -> None:
        """What is still being opened is given up if nobody waits for it any more."""
        self.feeds.remove(feed)
        if not self.feeds and not self.researcher.done():
            self.closing.set()
            self.cancel.cancel()


class ResearchThread:
    """Runs questions one beside the other; models stay loaded from one question to the next."""

    def __init__(self, opener: OpenResearcher) -> None:
        self._opener = opener
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._opened: list[_Opened] = []
        self._running: set[asyncio.Task[Report]] = set()
        self._feeds: set[RunFeed] = set()

    @property
    def busy(self) -> bool:
        """Whether a run is under way."""
        return bool(self._feeds)

    def start(self, wishes: Wishes, start: Start, *, hold: bool = False) -> RunFeed:
        """Begin at once; how it goes and how it ends is told by the feed.

        With ``hold`` the run pauses as soon as it has a plan.
        """
        feed = RunFeed(hold=hold)
        self._feeds.add(feed)
        loop = self._ensure_loop()
        loop.call_soon_threadsafe(self._launch, wishes, start, feed)
        return feed

    def ask(self, wishes: Wishes, work: Callable[[Researcher], Awaitable[T]]) -> Future[T]:
        """Something else than a run that takes a researcher: its result, as a future."""
        job = self._use(wishes, RunFeed(), work)
        return asyncio.run_coroutine_threadsafe(job, self._ensure_loop())

    def close(self) -> None:
        """Stop what runs, close the models, end the thread. Blocks for seconds at most."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        for feed in list(self._feeds):
            feed.stop()
        asyncio.run_coroutine_threadsafe(self._shut(), loop)
        thread.join(_CLOSING_SECONDS)
        self._loop = self._thread = None

    def _ensure_loop(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_serve, args=(self._loop,), name="leadline-research", daemon=True
            )
            self._thread.start()
        return self._loop

    def _launch(self, wishes: Wishes, start: Start, feed: RunFeed) -> None:
        task = asyncio.get_running_loop().create_task(
            self._use(wishes, feed, lambda researcher: start(researcher, feed))
        )
        self._running.add(task)
        task.add_done_callback(partial(self._ended, feed))

    def _ended(self, feed: RunFeed, task: asyncio.Task[Report]) -> None:
        self._running.discard(task)
        self._feeds.discard(feed)
        if task.cancelled():
            feed.end(Cancelled("stopped"))
        else:
            feed.end(task.exception() or task.result())

    async def _use(
        self, wishes: Wishes, feed: RunFeed, work: Callable[[Researcher], Awaitable[T]]
    ) -> T:
        opened = await unless_cancelled(self._open(wishes, feed), feed.cancel)
        try:
            # Several may wait for the same researcher; one that gives up must not take it away.
            waiting = asyncio.shield(opened.researcher)
            researcher = await unless_cancelled(waiting, feed.cancel)
            feed.open()
            return await work(researcher)
        finally:
            opened.leave(feed)

    async def _open(self, wishes: Wishes, feed: RunFeed) -> _Opened:
        """The researcher for ``wishes``; idle ones for other wishes make room first."""
        for opened in list(self._opened):
            if opened.wishes == wishes and not opened.closing.is_set():
                opened.join(feed)
                return opened
            if not opened.feeds:
                await self._release(opened)
        opened = _Opened(wishes, asyncio.get_running_loop().create_future(), [feed])
        opened.keeper = asyncio.create_task(self._keep(opened))
        self._opened.append(opened)
        return opened

    async def _keep(self, opened: _Opened) -> None:
        """Hold a researcher open, in one task, until it is to be closed."""
        work = self._opener(
            opened.wishes, cancel=opened.cancel, progress=opened.progress, warn=opened.warn
        )
        try:
            async with work as researcher:
                opened.researcher.set_result(researcher)
                await opened.closing.wait()
        except Exception as failure:
            if opened.researcher.done():
                raise
            # Whoever waits for the researcher is told; nobody waits for this task.
            if opened.feeds:
                opened.researcher.set_exception(failure)
        finally:
            if opened in self._opened:
                self._opened.remove(opened)
            if not opened.researcher.done():
                opened.researcher.cancel()

    async def _release(self, opened: _Opened) -> None:
        opened.closing.set()
        if opened.keeper is not None:
            # Whoever waits for the release may be stopped; the keeper closes what it holds.
            await asyncio.shield(asyncio.gather(opened.keeper, return_exceptions=True))

    async def _shut(self) -> None:
        await asyncio.gather(*self._running, return_exceptions=True)
        for opened in list(self._opened):
            await self._release(opened)
        asyncio.get_running_loop().stop()


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    if sys.platform == "linux":
        thread = threading.get_native_id()
        niceness = os.getpriority(os.PRIO_PROCESS, thread) + _NICENESS
        os.setpriority(os.PRIO_PROCESS, thread, niceness)
    asyncio.set_event_loop(loop)
    loop.run_forever()
    loop.close()
