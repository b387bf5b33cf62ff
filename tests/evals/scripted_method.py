"""A reading method that brings back what a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leadline.cancellation import Cancellation
from leadline.evidence import Evidence, Page
from leadline.progress import Progress, silent
from leadline.runtime.passages import Passage
from leadline.runtime.reader import Reading, ReadingBudget

Quotes = Callable[[str], Sequence[str]]


class ScriptedMethod:
    """Scores passages by the order of ``quotes(question)`` that stand in them, and brings back
    those quotes as evidence, best first."""

    model = "none"

    def __init__(self, quotes: Quotes, *, name: str = "scripted") -> None:
        self.name = name
        self._quotes = quotes
        self.asked: list[str] = []

    async def rank(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[float]:
        cancel.check()
        self.asked.append(question)
        quotes = self._quotes(question)
        return [
            max((float(len(quotes) - n) for n, q in enumerate(quotes) if q in p.text), default=0.0)
            for p in passages
        ]

    rank_pool = rank

    async def read(
        self,
        questions: Sequence[str],
        pages: Sequence[Page],
        *,
        budget: ReadingBudget,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[Reading]:
        cancel.check()
        self.asked += questions
        readings = []
        for question in questions:
            found = [
                Evidence(
                    span=page.span(page.text.index(quote), page.text.index(quote) + len(quote)),
                    score=1.0,
                    question=question,
                )
                for quote in self._quotes(question)
                for page in pages
                if quote in page.text
            ]
            readings.append(Reading(tuple(found), read_tokens=11, seconds=0.5))
        return readings
