"""Blocking work beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from .cancellation import Cancellation

T = TypeVar("T")


async def in_thread(work: Callable[[Cancellation], T], *, cancel: Cancellation | None = None) -> T:
    """Run ``work`` in a thread; cancelling the task, or ``cancel``, sets the signal it is given.

    Returns, or raises CancelledError, only when the thread is done: whoever cleans up afterwards
    has the files for itself.
    """
    stop = Cancellation()
    forget = cancel.on_cancel(stop.cancel) if cancel is not None else None
    thread = asyncio.ensure_future(asyncio.to_thread(work, stop))
    try:
        return await asyncio.shield(thread)
    except asyncio.CancelledError:
        stop.cancel()
        await asyncio.wait((thread,))
        raise
    finally:
        if forget is not None:
            forget()
