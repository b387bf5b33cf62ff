"""What a site's robots.txt allows (RFC 9309), asked once per origin."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from protego import Protego

from ..errors import FetchError

PRODUCT_TOKEN = "Leadline"
"""The name that robots.txt groups are matched against."""

MAX_ROBOTS_BYTES = 512 * 1024
"""What is parsed of a robots.txt; RFC 9309 §2.5 asks for at least 500 KiB."""

_FRESH_SECONDS = 24 * 3600.0  # §2.4
_UNREACHABLE_SECONDS = 600.0
_LONGEST_DELAY_SECONDS = 10.0
_MOST_ORIGINS = 1000


@dataclass(frozen=True, slots=True)
class RobotsResponse:
    """What came of asking for a robots.txt, after redirects."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a URL may be fetched, why not, and how far apart its host wants requests."""

    allowed: bool
    reason: str = ""
    delay: float = 0.0
    """Seconds; ``Crawl-delay`` up to a bound of our own."""


@dataclass(frozen=True, slots=True)
class _Rules:
    parsed: Protego | None
    """None where everything is disallowed."""
    reason: str
    expires: float


class RobotsCache:
    """Verdicts by origin ("https://host:port"), each robots.txt read through ``ask``.

    ``ask`` takes the robots.txt's URL. A FetchError that it raises (host not found, connection
    refused…) passes through, since the page itself could not be had either; after it the origin
    counts as unreachable, hence disallowed, for a while.
    """

    def __init__(
        self,
        ask: Callable[[str], Awaitable[RobotsResponse]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._rules: dict[str, _Rules] = {}
        """Those asked for last come last; the first make room."""
        self._locks: dict[str, asyncio.Lock] = {}

    async def verdict(self, origin: str, url: str) -> Verdict:
        """Whether ``url``, a page of ``origin``, may be fetched."""
        async with self._locks.setdefault(origin, asyncio.Lock()):
            rules = self._rules.get(origin)
            if rules is None or rules.expires <= self._clock():
                rules = await self._read(origin)
            self._keep(origin, rules)
        if rules.parsed is None:
            return Verdict(False, rules.reason)
        delay = min(rules.parsed.crawl_delay(PRODUCT_TOKEN) or 0.0, _LONGEST_DELAY_SECONDS)
        if rules.parsed.can_fetch(url, PRODUCT_TOKEN):
            return Verdict(True, delay=delay)
        return Verdict(False, f"disallowed by {origin}/robots.txt", delay)

    def _keep(self, origin: str, rules: _Rules) -> None:
        self._rules.pop(origin, None)
        self._rules[origin] = rules
        if len(self._rules) > _MOST_ORIGINS:
            oldest = next(iter(self._rules))
            del self._rules[oldest]
            if not self._locks[oldest].locked():
                del self._locks[oldest]

    async def _read(self, origin: str) -> _Rules:
        """§2.3.1: 2xx is parsed, 4xx allows everything, 5xx (and, sensibly, 429) nothing."""
        try:
            response = await self._ask(f"{origin}/robots.txt")
        except FetchError as error:
            self._keep(origin, self._nothing(error.problem))
            raise
        status = response.status
        if status == 429 or status >= 500:
            return self._nothing(f"status {status}")
        body = response.body if 200 <= status < 300 else b""
        text = body.decode("utf-8", errors="replace").removeprefix("\ufeff")
        return _Rules(Protego.parse(text), "", self._clock() + _FRESH_SECONDS)

    def _nothing(self, cause: str) -> _Rules:
        reason = f"its robots.txt cannot be had ({cause}), which forbids fetching for now"
        return _Rules(None, reason, self._clock() + _UNREACHABLE_SECONDS)
