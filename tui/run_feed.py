"""What passes between a run and the screen that shows it, safe from both their threads."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from ..agent.events import Event, PlanUpdated
from ..agent.report import Report
from ..agent.steering import Clarification, Steering
from ..cancellation import Cancellation, unless_cancelled


class Amount(NamedTuple):
    """How far a piece of work is."""

    done: int
    total: int | None
    unit: str


@dataclass(frozen=True, slots=True)
class News:
    """What a run has said since it was last asked."""

    events: tuple[Event, ...] = ()
    warnings: tuple[str, ...] = ()
    clarification: Clarification | None = None
    """A question that waits for an answer."""
    ended: Report | BaseException | None = None
    """How the run ended, once it has; said once."""


class RunFeed:
    """A run under way: what it says, and the means to steer and to stop it."""

    def __init__(self, *, hold: bool = False) -> None:
        """With ``hold`` the run is paused as soon as it has a plan."""
        self._hold = hold
        self.steering = Steering()
        self.cancel = Cancellation()
        self.asked_at = datetime.now(UTC)
        self.opened_at: datetime | None = None
        """When models and corpora were open: the run's clock begins."""
        self.under_way: dict[str, Amount] = {}
        """Long work by name ("qwen2.5-coder-0.5b"), as last told."""
        self._lock = threading.Lock()
        self._events: deque[Event] = deque()
        self._warnings: deque[str] = deque()
        self._asked: Clarification | None = None
        self._answer: asyncio.Future[str | None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: Report | BaseException | None = None

    def open(self) -> None:
        """Say that the researcher is there."""
        self.opened_at = datetime.now(UTC)

    def tell(self, event: Event) -> None:
        if self._hold and isinstance(event, PlanUpdated):
            self._hold = False
            self.steering.pause()
        with self._lock:
            self._events.append(event)

    def warn(self, message: str) -> None:
        with self._lock:
            self._warnings.append(message)

    def progress(self, task: str, done: int, total: int | None, unit: str) -> None:
        with self._lock:
            if total is not None and done >= total:
                self.under_way.pop(task, None)
            else:
                self.under_way[task] = Amount(done, total, unit)

    def end(self, outcome: Report | BaseException) -> None:
        with self._lock:
            self._ended = outcome
            self.under_way.clear()

    def take(self, most: int = 200) -> News:
        """What was said since the last call: ``most`` events, the rest at the next call."""
        with self._lock:
            count = min(most, len(self._events))
            events = tuple(self._events.popleft() for _ in range(count))
            if self._events:
                return News(events)
            warnings, self._warnings = tuple(self._warnings), deque()
            asked, self._asked = self._asked, None
            ended, self._ended = self._ended, None
        return News(events, warnings, asked, ended)

    def stop(self) -> None:
        """Ask the run to stop; it can be resumed."""
        self.cancel.cancel()

    async def clarify(self, clarification: Clarification) -> str | None:
        """Ask the person, and wait for the answer; for the run."""
        loop = asyncio.get_running_loop()
        with self._lock:
            self._asked, self._loop = clarification, loop
            self._answer = answer = loop.create_future()
        return await unless_cancelled(answer, self.cancel)

    def answer(self, text: str | None) -> None:
        """What the person says to the last clarification; for the screen."""
        loop, future = self._loop, self._answer
        if loop is None or future is None:
            return

        def give() -> None:
            if not future.done():
                future.set_result(text)

        loop.call_soon_threadsafe(give)
