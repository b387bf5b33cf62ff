"""What every reader does: pages and questions in, evidence out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from ..cancellation import Cancellation
from ..errors import ReadingError
from ..evidence import Evidence, Page
from ..progress import Progress, silent
from ..threads import in_thread
from .passages import Passage, merged_spans, split_pages

FIRST_STAGE_IDS = ("none", "first-stage")
"""Reader ids that select the reader without a model."""


@dataclass(frozen=True, slots=True)
class ReadingBudget:
    """How much is read for one question, and how much is brought back."""

    window_tokens: int | None = None
    """Tokens that attention reads at most; None reads all there is, in several windows."""
    evidence: int = 8
    """Spans brought back."""
    evidence_chars: int = 500
    """Characters of a span, about: sentences are not cut."""

    def __post_init__(self) -> None:
        for name in ("window_tokens", "evidence", "evidence_chars"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ReadingError(f"{name} is {value}", remedy="give a number above 0")


@dataclass(frozen=True, slots=True)
class Reading:
    """What one question brought back."""

    evidence: tuple[Evidence, ...]
    """Best first; spans of one page do not overlap."""
    read_tokens: int
    """Tokens that attention went over."""
    seconds: float


class Reader(Protocol):
    """Brings back, for each question, the sentences of the pages that bear on it."""

    @property
    def model_id(self) -> str:
        """What reports and logs call the model."""

    async def read(
        self,
        questions: Sequence[str],
        pages: Sequence[Page],
        *,
        budget: ReadingBudget,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[Reading]:
        """One reading per question, in their order. No pages or only empty ones: no evidence.

        Raises:
            ReadingError: the model or the method cannot read this.
            ModelError: the model's files cannot be used.
            Cancelled: ``cancel`` was set meanwhile.
        """
        ...


class PassageRanker(Protocol):
    """A first stage that is cheap enough to look at every passage. Called in a thread."""

    def rank(
        self,
        question: str,
        passages: Sequence[str],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> Sequence[float]:
        """One score per passage, higher is better; scores of one call can be compared. Blocks."""
        ...


class FirstStageReader:
    """Reads without an attention model: evidence is what the first stage ranks best."""

    model_id = "first-stage"

    def __init__(self, ranker: PassageRanker) -> None:
        self._ranker = ranker

    async def read(
        self,
        questions: Sequence[str],
        pages: Sequence[Page],
        *,
        budget: ReadingBudget,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[Reading]:
        """One reading per question, in their order. Raises Cancelled: ``cancel`` was set."""
        passages = split_pages(pages, max_chars=budget.evidence_chars)

        def read_one(question: str, stop: Cancellation) -> Reading:
            started = time.monotonic()
            scores = first_stage_scores(self._ranker, question, passages, stop, progress)
            order = sorted(range(len(passages)), key=lambda place: -scores[place])
            best = [(passages[place], scores[place]) for place in order[: budget.evidence]]
            evidence = merged_spans(question, best, max_chars=budget.evidence_chars)
            return Reading(evidence, read_tokens=0, seconds=time.monotonic() - started)

        return [
            await in_thread(partial(read_one, question), cancel=cancel) for question in questions
        ]


def first_stage_scores(
    ranker: PassageRanker,
    question: str,
    passages: Sequence[Passage],
    cancel: Cancellation,
    progress: Progress,
) -> list[float]:
    """The first stage's score of each passage, which it sees with the title of its page.

    Raises:
        ReadingError: the ranker gave another number of scores than there are passages.
    """
    cancel.check()
    if not passages:
        return []
    texts = [passage.titled_text for passage in passages]
    ranked = ranker.rank(question, texts, cancel=cancel, progress=progress)
    scores = [float(score) for score in ranked]
    if len(scores) != len(passages):
        raise ReadingError(
            f"the first stage gave {len(scores)} scores for {len(passages)} passages"
        )
    return scores
