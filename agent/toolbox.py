"""What the steps of a run work with; handed to them by LangGraph as the run's context."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..budget import Budget
from ..cancellation import Cancellation, unless_cancelled
from ..errors import Cancelled
from ..evidence import Page
from ..progress import Progress, silent
from ..runtime.engine import Engine
from ..runtime.reader import Reader, ReadingBudget
from ..settings import READING_TOKENS
from .events import Event
from .sources import Source
from .steering import Clarify, Steering


class PageLookup(Protocol):
    """Stored pages by id."""

    def get(self, page_id: str) -> Page: ...


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard a run tries; the defaults suit a small model on two cores."""

    pages_per_question: int = 8
    """Pages read for one sub-question in one round."""
    search_rounds: int = 2
    """Rounds of searching for one sub-question until it has an answer."""
    growth_rounds: int = 2
    """Times that the graph may grow after the first plan."""
    parallel_searchers: int = 4
    table_rounds: int = 3
    """Rounds of searching for the rows of a table; it ends earlier when one brings nothing new."""
    filled_rows: int = 40
    """Rows of a table whose missing cells are looked up one by one."""
    evidence: int = 8
    """Spans brought back for one sub-question."""
    reading_tokens: int | None = READING_TOKENS
    """Tokens that attention reads for one sub-question; None reads all there is."""

    @property
    def reading_budget(self) -> ReadingBudget:
        return ReadingBudget(window_tokens=self.reading_tokens, evidence=self.evidence)


@dataclass(frozen=True)
class Toolbox:
    """Engines, sources and limits of one run. ``cancel`` is the user's, ``deadline`` the run's."""

    engine: Engine
    reader: Reader
    sources: Sequence[Source]
    pages: PageLookup
    budget: Budget
    cancel: Cancellation
    emit: Callable[[Event], None]
    deadline: Cancellation = field(default_factory=Cancellation)
    """Set when the user stops the run or the budget runs out: searchers look at this one."""
    effort: Effort = field(default_factory=Effort)
    progress: Progress = silent
    steering: Steering = field(default_factory=Steering)
    clarify: Clarify | None = None

    async def unpaused(self) -> None:
        """Return once the run is not paused, or its deadline is set; the wait costs no time.

        Edits end the wait as well, so that they are answered while the run is paused.
        """
        seen = self.steering.changes
        if not self.steering.paused or self.steering.has_edits:
            return
        with self.budget.clock_stopped(), contextlib.suppress(Cancelled):
            while self.steering.paused and not self.steering.has_edits:
                await unless_cancelled(self.steering.changed(seen), self.deadline)
                seen = self.steering.changes
