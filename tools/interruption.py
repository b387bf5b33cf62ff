"""Waits on the outside world that can be broken off at any moment."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable, Coroutine
from typing import TypeVar

from ..cancellation import Cancellation
from ..errors import Cancelled

T = TypeVar("T")


async def interruptible(work: Coroutine[None, None, T], cancel: Cancellation) -> T:
    """Await ``work``; a cancellation from any thread stops it at its current await.

    Raises:
        Cancelled: ``cancel`` was set before or during the work.
    """
    loop = asyncio.get_running_loop()
    if cancel.cancelled:
        work.close()
        cancel.check()
    task = loop.create_task(work)

    def stop() -> None:
        loop.call_soon_threadsafe(task.cancel)

    unsubscribe = cancel.on_cancel(stop)
    try:
        return await task
    except asyncio.CancelledError:
        if cancel.cancelled:
            raise Cancelled("stopped", remedy="run it again to go on") from None
        raise
    finally:
        unsubscribe()


async def in_daemon_thread(call: Callable[[], T], *, name: str) -> T:
    """The result of a blocking ``call`` that offers no way to stop it.

    When the await is cancelled the thread is left to finish by itself; being a daemon, and not of
    the loop's executor, it delays neither the loop's shutdown nor the process's exit.
    """
    future: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - handed over to the waiting coroutine
            future.set_exception(error)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await asyncio.wrap_future(future)
