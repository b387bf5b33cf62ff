"""One read at a time: a window uses all cores."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from ..cancellation import Cancellation

_PATIENCE_SECONDS = 0.2


class Turns:
    """Lets the reads of several threads take turns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def take(self, stop: Cancellation) -> Iterator[None]:
        """Wait until no other read is going on.

        Raises:
            Cancelled: ``stop`` was set meanwhile.
        """
        while not self._lock.acquire(timeout=_PATIENCE_SECONDS):
            stop.check()
        try:
            yield
        finally:
            self._lock.release()
