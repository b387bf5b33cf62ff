"""What a person says to a run under way: edits of its plan, a pause, another budget."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..budget import Limits


class _Edit(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AddQuestion(_Edit):
    """One more sub-question, which waits for ``parents``."""

    action: Literal["add"] = "add"
    text: str
    parents: tuple[str, ...] = ()


class DropQuestion(_Edit):
    """Stop a sub-question and leave it out; what waited for it waits no longer."""

    action: Literal["drop"] = "drop"
    node_id: str


class RewordQuestion(_Edit):
    """Ask a sub-question in other words; what it had found so far is given up."""

    action: Literal["reword"] = "reword"
    node_id: str
    text: str


class AskAgain(_Edit):
    """Search once more for a settled sub-question, and then for those that build on it."""

    action: Literal["ask again"] = "ask again"
    node_id: str


class ForkQuestion(_Edit):
    """The same place in the graph asked in other words, beside the first wording."""

    action: Literal["fork"] = "fork"
    node_id: str
    text: str


PlanEdit = Annotated[
    AddQuestion | DropQuestion | RewordQuestion | AskAgain | ForkQuestion,
    Field(discriminator="action"),
]


@dataclass(frozen=True, slots=True)
class Clarification:
    """What a run asks back before it plans, because the question can be meant in several ways."""

    question: str
    """What is unclear, as a question to the person."""
    choices: tuple[str, ...]
    """Ways to read it; the person may also answer in words of their own."""


Clarify = Callable[[Clarification], Awaitable[str | None]]
"""Asks the person; None leaves it to the run."""


class Steering:
    """Wishes for one run, kept until the run takes them up. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._edits: list[PlanEdit] = []
        self._limits: Limits | None = None
        self._paused = False
        self._changes = 0
        self._waiters: list[Callable[[], None]] = []

    def edit(self, edit: PlanEdit) -> None:
        """Hand in an edit of the plan; the run says by an event whether it was taken."""
        with self._lock:
            self._edits.append(edit)
        self._wake()

    def set_limits(self, limits: Limits) -> None:
        """Put other limits in place of the run's; what is used already counts against them."""
        with self._lock:
            self._limits = limits
        self._wake()

    def pause(self) -> None:
        """Start nothing new; work under way is finished first."""
        with self._lock:
            self._paused = True
        self._wake()

    def unpause(self) -> None:
        """Go on after :meth:`pause`."""
        with self._lock:
            self._paused = False
        self._wake()

    @property
    def paused(self) -> bool:
        """Whether :meth:`pause` was the last of the two to be called."""
        return self._paused

    def take_edits(self) -> list[PlanEdit]:
        """The edits handed in since the last call, in order."""
        with self._lock:
            edits, self._edits = self._edits, []
        return edits

    def take_limits(self) -> Limits | None:
        """The limits set since the last call, if any."""
        with self._lock:
            limits, self._limits = self._limits, None
        return limits

    @property
    def has_edits(self) -> bool:
        """Whether edits were handed in that nobody took yet."""
        return bool(self._edits)

    @property
    def changes(self) -> int:
        """How often something was said; see :meth:`changed`."""
        return self._changes

    async def changed(self, since: int | None = None) -> None:
        """Return at the next call of a method that changes something.

        With ``since``, a value of :attr:`changes`, what was said after that value was read counts
        too, so that nothing falls between taking and waiting.
        """
        loop = asyncio.get_running_loop()
        event = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(event.set)

        with self._lock:
            if since is not None and since != self._changes:
                return
            self._waiters.append(wake)
        try:
            await event.wait()
        finally:
            with self._lock:
                if wake in self._waiters:
                    self._waiters.remove(wake)

    def _wake(self) -> None:
        with self._lock:
            self._changes += 1
            waiters, self._waiters = self._waiters, []
        for wake in waiters:
            wake()
