"""A stop signal that threads and coroutines share."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from .errors import Cancelled

T = TypeVar("T")


class Cancellation:
    """Set once by whoever wants the work to stop, looked at by whoever does it.

    Decode loops and index builders call :meth:`check` between steps; sockets and subprocesses
    register a callback that closes them. Safe from any thread.
    """

    def __init__(self) -> None:
        self._event = threading.Event()
        self._callbacks: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._event.is_set()

    def cancel(self) -> None:
        """Ask for a stop; callbacks run now, in the caller's thread."""
        with self._lock:
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def check(self) -> None:
        """Raises Cancelled once :meth:`cancel` was called."""
        if self._event.is_set():
            raise Cancelled("stopped", remedy="run it again to go on")

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Run ``callback`` at cancellation (at once if it has happened); returns an unsubscriber."""
        with self._lock:
            if not self._event.is_set():
                self._callbacks.append(callback)
                return lambda: self._forget(callback)
        callback()
        return lambda: None

    async def wait(self) -> None:
        """Return once :meth:`cancel` was called."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(done.set)

        unsubscribe = self.on_cancel(wake)
        try:
            await done.wait()
        finally:
            unsubscribe()

    def _forget(self, callback: Callable[[], None]) -> None:
        with self._lock:
            if callback in self._callbacks:
                self._callbacks.remove(callback)


async def unless_cancelled(awaitable: Awaitable[T], cancel: Cancellation) -> T:
    """Await ``awaitable``, or raise Cancelled (and cancel it) as soon as ``cancel`` is set."""
    work = asyncio.ensure_future(awaitable)
    stopped = asyncio.ensure_future(cancel.wait())
    try:
        cancel.check()
        await asyncio.wait((work, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            cancel.check()
        return work.result()
    finally:
        for task in (work, stopped):
            task.cancel()
        await asyncio.gather(work, stopped, return_exceptions=True)
