"""One process at a time, or many of which none may be alone."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

from ..cancellation import Cancellation
from ..errors import StorageError
from ..locations import make_private
from ..storage import open_lock, try_lock

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
    descriptor = open_lock(path)
    try:
        told = False
        while not try_lock(descriptor):
            if not told:
                waiting()
                told = True
            cancel.check()
            await asyncio.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


class SharedLock:
    """Holds the lock that the file ``path`` stands for together with others, until released.

    Raises:
        StorageError: somebody holds it alone (``busy`` says why), or the file cannot be made.
    """

    def __init__(self, path: Path, *, busy: str) -> None:
        make_private(path.parent)
        self._descriptor: int | None = open_lock(path)
        if not try_lock(self._descriptor, shared=True):
            self.release()
            raise StorageError(busy, remedy="wait for it to end, then try again")

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


@contextlib.contextmanager
def alone(path: Path, *, busy: str) -> Iterator[None]:
    """Hold the lock that the file ``path`` stands for, which nobody else may hold.

    Raises:
        StorageError: somebody does (``busy`` says why), or the file cannot be made.
    """
    make_private(path.parent)
    descriptor = open_lock(path)
    try:
        if not try_lock(descriptor):
            raise StorageError(busy, remedy="wait for it to end, then try again")
        yield
    finally:
        os.close(descriptor)
