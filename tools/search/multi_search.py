"""Several search backends asked at once, their rankings fused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import urlencode

import httpx

from ...cancellation import Cancellation
from ...errors import SearchError
from ..rank_fusion import reciprocal_rank_fusion
from .backend_choice import BackendChoice
from .health import BackendHealth
from .protocol import SearchBackend, SearchResult

_TRACKING = ("utm_", "fbclid", "gclid", "mc_cid", "mc_eid")


class MultiSearch:
    """Fuses ``backends`` by reciprocal rank; a backend itself.

    One that fails is told to ``on_warning`` and left out; only when all fail the search does.
    With a ``choice`` only those are asked that it takes for the query.
    One that has failed three times running is not asked for five minutes, unless all have.
    """

    def __init__(
        self,
        backends: Sequence[SearchBackend],
        *,
        on_warning: Callable[[str], None],
        choice: BackendChoice | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._backends = tuple(backends)
        self._on_warning = on_warning
        self._choice = choice
        self._health = {id(b): BackendHealth(b, clock=clock) for b in self._backends}

    @property
    def name(self) -> str:
        return "+".join(backend.name for backend in self._backends)

    @property
    def description(self) -> str:
        return " ".join(dict.fromkeys(backend.description for backend in self._backends))

    def why_not(self) -> list[str]:
        """Reasons only if no backend is left without any."""
        if not self._backends:
            return ["no search backend is set"]
        reasons = [backend.why_not() for backend in self._backends]
        return [reason for each in reasons for reason in each] if all(reasons) else []

    @property
    def chooses(self) -> bool:
        """Whether only some of several backends are asked."""
        return self._choice is not None and len(self._backends) > self._choice.most

    async def search(
        self, query: str, *, limit: int, need: str = "", cancel: Cancellation
    ) -> list[SearchResult]:
        """As every backend; ``need`` is what kind of source would hold what is searched for."""
        if not self._backends:
            raise SearchError("no search backend is set", remedy="set search_backends")
        asked = [b for b in self._backends if not self._health[id(b)].rests]
        asked = asked or [*self._backends]
        if self._choice is not None:
            asked = await self._choice.choose(asked, query, need=need, cancel=cancel)
        outcomes = await asyncio.gather(
            *(self._health[id(b)].ask(query, limit=limit, cancel=cancel) for b in asked)
        )
        failures = [outcome for outcome in outcomes if isinstance(outcome, SearchError)]
        if len(failures) == len(outcomes):
            if len(failures) == 1:
                raise failures[0]
            reasons = "; ".join(failure.problem for failure in failures)
            raise SearchError(
                f"every search backend failed: {reasons}",
                remedy="see leadline doctor, or search a corpus with --corpus",
            ) from failures[0]
        for failure in failures:
            self._on_warning(str(failure))
        return fused([o for o in outcomes if not isinstance(o, SearchError)], limit)


def fused(rankings: Sequence[Sequence[SearchResult]], limit: int) -> list[SearchResult]:
    """The best ``limit`` results of all rankings, each page once, with new ranks."""
    first: dict[str, SearchResult] = {}
    for result in (result for ranking in rankings for result in ranking):
        known = first.setdefault(same_page_key(result.url), result)
        if len(result.snippet) > len(known.snippet):
            first[same_page_key(result.url)] = replace(known, snippet=result.snippet)
    keys = [list(dict.fromkeys(same_page_key(r.url) for r in ranking)) for ranking in rankings]
    order = reciprocal_rank_fusion(keys)[:limit]
    return [replace(first[key], rank=rank) for rank, (key, _) in enumerate(order, start=1)]


def same_page_key(url: str) -> str:
    """Equal for addresses that lead to the same page but for scheme, fragment and tracking."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return url
    query = [
        (name, value)
        for name, value in parsed.params.multi_items()
        if not name.lower().startswith(_TRACKING)
    ]
    host = parsed.host.removeprefix("www.")
    return f"{host}:{parsed.port or ''}{parsed.path.rstrip('/')}?{urlencode(query)}"
