"""Search with no key: the ``ddgs`` library, which asks several public engines."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from typing import Any

from ...cancellation import Cancellation, unless_cancelled
from ...errors import SearchError
from ..daemon_thread import in_daemon_thread
from ..host_slots import HostSlots
from .protocol import WHOLE_WEB, SearchResult, ranked

_TRY_OTHER = "try again later, or set searxng_url and search_backends"
# What the library raises when every engine answered and none had anything.
_NOTHING_FOUND = "No results found."
# What its HTTP client says when a name cannot be resolved, before a long dump of the query.
_NO_NAME = "DNS error"


class DdgsSearch:
    """The engines that ``ddgs`` knows, or those named in ``engines`` ("mojeek,wikipedia").

    ``region`` is country and language ("us-en", "cn-zh"). Each engine gets ``seconds``. Searches
    start ``delay`` seconds apart: the engines shut out who asks too often. The library brings its
    own connections and asks fixed, public addresses, so they do not go through the guard.
    """

    name = "ddgs"
    description = WHOLE_WEB

    def __init__(
        self,
        *,
        engines: str = "auto",
        region: str = "us-en",
        seconds: float = 8.0,
        delay: float = 1.0,
    ) -> None:
        self._engines = engines
        self._region = region
        self._seconds = seconds
        self._turns = HostSlots(total=2, per_host=2, delay=delay)

    def why_not(self) -> list[str]:
        if importlib.util.find_spec("ddgs") is None:
            return ["the ddgs library is not installed: pip install ddgs"]
        return []

    async def search(self, query: str, *, limit: int, cancel: Cancellation) -> list[SearchResult]:
        if reasons := self.why_not():
            raise SearchError(f"ddgs cannot search, {reasons[0]}")
        return await unless_cancelled(self._search(query, limit), cancel)

    async def _search(self, query: str, limit: int) -> list[SearchResult]:
        from ddgs.exceptions import DDGSException, RatelimitException, TimeoutException

        try:
            async with self._turns.slot(self.name):
                # The library waits for one round of engines, then for its slowest thread.
                async with asyncio.timeout(2 * self._seconds + 1):
                    found = await in_daemon_thread(self._call(query, limit), name="ddgs")
        except RatelimitException as error:
            raise SearchError(
                "ddgs is shut out for too many searches", remedy=_TRY_OTHER
            ) from error
        except (TimeoutError, TimeoutException) as error:
            raise SearchError("ddgs did not answer in time", remedy=_TRY_OTHER) from error
        except DDGSException as error:
            if str(error) == _NOTHING_FOUND:
                return []
            if _NO_NAME in str(error):
                raise SearchError(
                    "ddgs cannot be reached, the hosts of its engines cannot be found",
                    remedy="check the network and its name service",
                ) from error
            raise SearchError(f"ddgs failed ({error})", remedy=_TRY_OTHER) from error
        except Exception as error:  # engines' parsers break when their pages change
            raise SearchError(
                f"ddgs failed ({type(error).__name__}: {error})", remedy=_TRY_OTHER
            ) from error
        hits = [tuple(str(hit.get(key, "")) for key in ("href", "title", "body")) for hit in found]
        return ranked([(url, title, snippet) for url, title, snippet in hits], limit)

    def _call(self, query: str, limit: int) -> Callable[[], list[dict[str, Any]]]:
        from ddgs import DDGS

        def call() -> list[dict[str, Any]]:
            library = DDGS(timeout=max(1, round(self._seconds)))
            return library.text(
                query, region=self._region, max_results=limit, backend=self._engines
            )

        return call
