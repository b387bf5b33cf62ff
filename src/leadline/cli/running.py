"""Run a coroutine from a command, with Ctrl-C as a request to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..cancellation import Cancellation
from ..errors import Cancelled
from .terminal import note

T = TypeVar("T")


def run_async(work: Callable[[Cancellation], Awaitable[T]]) -> T:
    """Run ``work`` to its end; the first SIGINT or SIGTERM cancels it, the second kills it.

    Raises:
        Cancelled: it was stopped before it had a result.
    """
    cancel = Cancellation()

    async def supervise() -> T:
        loop = asyncio.get_running_loop()
        task = asyncio.ensure_future(work(cancel))

        def stop() -> None:
            if cancel.cancelled:
                task.cancel()
                return
            note("stopping; once more to stop at once")
            cancel.cancel()

        for signum in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(signum, stop)
        try:
            return await task
        except asyncio.CancelledError as error:
            raise Cancelled("stopped at once") from error
        finally:
            for signum in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(signum)

    return asyncio.run(supervise())
