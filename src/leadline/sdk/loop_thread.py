"""An event loop in a thread of its own, for callers that have none or have another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

from ..errors import RunError

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for blocking callers. Safe from any thread, also from one with a loop."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The outcome of ``work``. Interrupted, it waits until ``work`` has cleaned up.

        Raises:
            RunError: the thread is closed; and whatever ``work`` raises.
        """
        try:
            loop = self._started()
        except RunError:
            work.close()
            raise
        done = threading.Event()

        async def supervised() -> T:
            try:
                return await work
            finally:
                done.set()

        future = asyncio.run_coroutine_threadsafe(supervised(), loop)
        try:
            return future.result()
        except BaseException:
            if not future.done() and future.cancel():
                done.wait()
            raise

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """End the loop and the thread. Closing twice is no error."""
        with self._lock:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None and self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._closed:
                raise RunError("this client is closed", remedy="open another")
            if self._thread is None:
                # A programme that forgets to close must still be able to end.
                self._thread = threading.Thread(target=self._serve, name="leadline", daemon=True)
                self._thread.start()
        self._ready.wait()
        assert self._loop is not None
        return self._loop

    def _serve(self) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._ready.set()
            self._loop.run_forever()
