"""Politeness: how many requests one host gets at once, and how soon after one another."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

LONGEST_REST_SECONDS = 24 * 3600.0
"""A host that asks for more is asked again after that."""


class HostAtRest(Exception):
    """A host has asked for no requests for so many ``seconds``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


@dataclass(slots=True)
class _Host:
    slots: asyncio.Semaphore
    next_start: float = 0.0
    delay: float = 0.0
    order: asyncio.Lock = field(default_factory=asyncio.Lock)


class HostSlots:
    """Lets ``total`` requests run at once, ``per_host`` of them on one host.

    Starts on one host are ``delay`` seconds apart, or as far as its robots.txt asks.
    """

    def __init__(self, *, total: int, per_host: int, delay: float) -> None:
        self._total = asyncio.Semaphore(total)
        self._per_host = per_host
        self._delay = delay
        self._hosts: dict[str, _Host] = {}

    def ask_delay(self, host: str, delay: float) -> None:
        """Keep starts on ``host`` at least ``delay`` seconds apart from now on."""
        entry = self._entry(host)
        entry.delay = max(entry.delay, delay)

    def rest(self, host: str, seconds: float) -> None:
        """Start nothing on ``host`` for that long: it has asked to be left alone."""
        entry = self._entry(host)
        until = time.monotonic() + min(seconds, LONGEST_REST_SECONDS)
        entry.next_start = max(entry.next_start, until)

    @asynccontextmanager
    async def slot(self, host: str, *, patience: float = math.inf) -> AsyncIterator[None]:
        """Wait for a turn on ``host`` and hold it.

        Raises:
            HostAtRest: the host wants to be left alone for more than ``patience`` seconds.
        """
        entry = self._entry(host)
        async with entry.slots:
            async with entry.order:
                while (pause := entry.next_start - time.monotonic()) > 0:
                    if pause > patience:
                        raise HostAtRest(pause)
                    await asyncio.sleep(pause)
                entry.next_start = time.monotonic() + entry.delay
            async with self._total:
                yield

    def _entry(self, host: str) -> _Host:
        if host not in self._hosts:
            self._hosts[host] = _Host(asyncio.Semaphore(self._per_host), delay=self._delay)
        return self._hosts[host]
