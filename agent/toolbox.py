"""What the steps of a run work with; handed to them by LangGraph as the run's context."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Literal, Protocol

from ..budget import Budget
from ..cancellation import Cancellation, unless_cancelled
from ..errors import Cancelled
from ..evidence import Page
from ..progress import Progress, silent
from ..runtime.engine import Engine
from ..runtime.reader import Reader, ReadingBudget
from ..settings import READING_TOKENS
from ..tools.vector_index import Embedder
from .events import Event
from .rewriting.strategy import StrategyName
from .routing import Routing
from .sources import Source
from .steering import Clarify, Steering
from .verifier import Verification

_CHARACTERS_A_TOKEN = 4
"""About, in English."""

Planning = Literal["ahead", "grow"]


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
    planning: Planning = "ahead"
    """Whether a chain of questions is planned as a whole, or one hop at a time from what was read."""
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
    feedback_on_thin_evidence: bool = True
    """Search again not only for want of an answer, but for one that rests on little too."""
    sufficiency: bool = False
    """Ask the model how likely the passages hold the answer, which tells thin evidence."""
    time_context: bool = True
    """Search for a question about the present with the present date as well; costs no model call."""
    source_need: bool = False
    """Let the model say what kind of source a sub-question needs, and choose the search backends by
    that too, where ``backends_per_question`` asks for a choice; costs a short model call."""
    rewording: bool = True
    """Rewrite in other words, after a round that found too little, as the next five do."""
    instruction_ensemble: bool = False
    """Rewrite by several paraphrased instructions."""
    intent_clusters: bool = False
    """Rewrite for each intent that the question may have."""
    retrieved_context: bool = False
    """Rewrite with what was found so far in view."""
    reasoning_expansion: bool = False
    """Expand the question by the model's reasoning about it."""
    rewrites_in_a_round: int = 2
    """Strategies that rewrite for one round of searching, of those that are on."""
    rewrite_first: bool = False
    """Rewrite before the first search too, which costs a model call for each question."""
    rewrite_bandit: bool = False
    """Let what paid in earlier runs choose the strategies of a round, where more are on."""
    flag_foreign_terms: bool = True
    """Weigh down or drop rewrites with words that neither the question nor anything found has."""
    bare_answer: bool = True
    """Ask for the bare name or value where a report has none; costs a short model call."""
    votes: int = 0
    """Short answers that are sampled to vote on the answer of a sub-question; 0 for none."""
    verification: Verification = "entailment"
    """How claims are checked: not, by their words alone, by asking whether their source entails
    them, or by letting the model select the sentence that does."""
    repair: bool = True
    """Write a claim that its source does not bear out anew from that source, once."""
    unsupported: Literal["mark", "remove"] = "remove"
    """What becomes of claims that stay unsupported; those are marked that are all there is."""
    contradictions: bool = True
    """Look for sources that answer a sub-question differently."""
    routing: Routing = "off"
    """Let scored runs choose the model for a kind of question, where several are there."""

    @property
    def rewrites(self) -> tuple[StrategyName, ...]:
        """The strategies that rewrite by a model and are on."""
        switches: dict[StrategyName, bool] = {
            "rewording": self.rewording,
            "context": self.retrieved_context,
            "reasoning": self.reasoning_expansion,
            "intents": self.intent_clusters,
            "instructions": self.instruction_ensemble,
        }
        return tuple(name for name, on in switches.items() if on)

    @property
    def reading_characters(self) -> int:
        """Text that the reader can take in for one sub-question, about; 0 where nothing bounds it."""
        return (self.reading_tokens or 0) * _CHARACTERS_A_TOKEN

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
    today: date = field(default_factory=lambda: datetime.now(UTC).date())
    """The day on which the question was asked, whenever the run is resumed or replayed."""
    progress: Progress = silent
    embedder: Embedder | None = None
    """Finds sub-questions that ask the same; without one their words are compared."""
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
