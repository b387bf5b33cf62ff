"""How a search backend is doing: what its last search came to, and whether it rests."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from ...cancellation import Cancellation
from ...errors import SearchError
from .protocol import SearchBackend, SearchResult

_FAILURES_BEFORE_REST = 3
_REST_SECONDS = 300.0


class BackendHealth:
    """``backend``, asked with a record kept of how that went.

    One that has failed three times running rests for five minutes. ``clock`` is in seconds.
    """

    def __init__(
        self, backend: SearchBackend, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.backend = backend
        self.last_seconds = 0.0
        """What the last search took."""
        self._clock = clock
        self._failures = 0
        self._rests_until = -math.inf

    @property
    def rests(self) -> bool:
        """Whether it has kept failing, and is better left alone for now."""
        return self._rests_until > self._clock()

    async def ask(
        self, query: str, *, limit: int, cancel: Cancellation, seconds: float = math.inf
    ) -> list[SearchResult] | SearchError:
        """What the backend finds, or why it finds nothing; it gets at most ``seconds``.

        Raises:
            Cancelled: ``cancel`` was set.
        """
        started = self._clock()
        try:
            async with asyncio.timeout(None if math.isinf(seconds) else seconds):
                results = await self.backend.search(query, limit=limit, cancel=cancel)
        except SearchError as error:
            return self._failed(error)
        except TimeoutError:
            problem = f"{self.backend.name} did not answer within {seconds:g} s"
            return self._failed(SearchError(problem, remedy="try again later"))
        finally:
            self.last_seconds = self._clock() - started
        self._failures, self._rests_until = 0, -math.inf
        return results

    def _failed(self, error: SearchError) -> SearchError:
        self._failures += 1
        if self._failures >= _FAILURES_BEFORE_REST:
            self._rests_until = self._clock() + _REST_SECONDS
        return error
