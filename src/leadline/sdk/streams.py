"""Runs as iterators of their events."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from types import TracebackType
from typing import Self

from ..agent.events import Event
from ..agent.report import Report
from ..errors import Cancelled, RunError
from .loop_thread import LoopThread
from .options import OnEvent


class AsyncEventStream:
    """The events of one run, in order, as they come.

    The run begins with the first event that is asked for. The last event is ``run.finished``;
    after it :attr:`report` has the report. What stops the run is raised where the next event would
    have come.
    """

    def __init__(self, start: Callable[[OnEvent], Awaitable[Report]]) -> None:
        self._start = start
        self._events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._task: asyncio.Task[Report] | None = None
        self._ended = False

    @property
    def report(self) -> Report:
        """The report.

        Raises:
            RunError: the run is not finished.
        """
        if self._task is None or not self._task.done():
            raise RunError("the run is not finished", remedy="take all of its events first")
        if self._task.cancelled():
            raise Cancelled("the run was stopped", remedy="resume it")
        return self._task.result()

    def __aiter__(self) -> AsyncIterator[Event]:
        return self

    async def __anext__(self) -> Event:
        if self._ended:
            raise StopAsyncIteration
        if self._task is None:
            self._task = asyncio.create_task(self._run())
        event = await self._events.get()
        if event is not None:
            return event
        self._ended = True
        # Raises what stopped the run.
        await self._task
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Stop the run, unless it has ended. Closing twice is no error."""
        self._ended = True
        if self._task is not None and not self._task.done():
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError, Cancelled):
                await self._task

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _run(self) -> Report:
        loop = asyncio.get_running_loop()
        try:
            # Events may come from other threads; the loop keeps their order.
            return await self._start(
                lambda event: _put(loop, self._events, event),
            )
        finally:
            _put(loop, self._events, None)


class EventStream:
    """:class:`AsyncEventStream` for programmes without an event loop; also a context manager."""

    def __init__(self, events: AsyncEventStream, thread: LoopThread) -> None:
        self._events, self._thread = events, thread

    @property
    def report(self) -> Report:
        """The report.

        Raises:
            RunError: the run is not finished.
        """
        return self._events.report

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        event = self._thread.run(self._next())
        if event is None:
            raise StopIteration
        return event

    def close(self) -> None:
        """Stop the run, unless it has ended. Closing twice is no error."""
        self._thread.run(self._events.aclose())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    async def _next(self) -> Event | None:
        return await anext(self._events, None)


def _put(
    loop: asyncio.AbstractEventLoop, queue: asyncio.Queue[Event | None], event: Event | None
) -> None:
    loop.call_soon_threadsafe(queue.put_nowait, event)
