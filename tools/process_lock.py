"""One process at a time."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from ..cancellation import Cancellation
from ..storage import storage_errors

_POLL_SECONDS = 0.1


@contextlib.asynccontextmanager
async def process_lock(
    path: Path, *, cancel: Cancellation, waiting: Callable[[], None] = lambda: None
) -> AsyncIterator[None]:
    """Hold the lock that the file ``path`` stands for; other holders are waited for.

    ``waiting`` is called once when somebody else has it. The lock ends with its process, however
    that ends. It also parts tasks and threads of one process.

    Raises:
        StorageError: the file cannot be made.
        Cancelled: ``cancel`` was set while waiting.
    """
    with storage_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        told = False
        while not _taken(descriptor):
            if not told:
                waiting()
                told = True
            cancel.check()
            await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
