"""Blocking calls that nothing can stop, kept from delaying the rest."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


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
