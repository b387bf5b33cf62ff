"""A way of reading as it is measured, and the two kinds of it that the project has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..cancellation import Cancellation
from ..evidence import Page
from ..progress import Progress, silent
from ..runtime.passages import Passage
from ..runtime.reader import (
    FirstStageReader,
    PassageRanker,
    Reader,
    Reading,
    ReadingBudget,
    first_stage_scores,
)
from ..threads import in_thread


class ReadingMethod(Protocol):
    """A way to find what a question asks for. ``name`` and ``model`` head its rows."""

    @property
    def name(self) -> str: ...

    @property
    def model(self) -> str: ...

    async def rank(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> Sequence[float]:
        """One score per passage, higher is better; they are few enough to be read together.

        Each passage is the whole of its page.

        Raises:
            Cancelled: ``cancel`` was set meanwhile.
        """
        ...

    async def rank_pool(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> Sequence[float]:
        """As :meth:`rank`, for more passages than can be read together."""
        ...

    async def read(
        self,
        questions: Sequence[str],
        pages: Sequence[Page],
        *,
        budget: ReadingBudget,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[Reading]:
        """As :meth:`~leadline.runtime.reader.Reader.read`."""
        ...


class RankerMethod:
    """A ranker of passages; its evidence is the passages that it ranks best."""

    def __init__(self, name: str, model: str, ranker: PassageRanker) -> None:
        self.name = name
        self.model = model
        self._ranker = ranker
        self._reader = FirstStageReader(ranker)

    async def rank(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[float]:
        def work(stop: Cancellation) -> list[float]:
            return first_stage_scores(self._ranker, question, passages, stop, progress)

        return await in_thread(work, cancel=cancel)

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
        return await self._reader.read(
            questions, pages, budget=budget, cancel=cancel, progress=progress
        )


class ReaderMethod:
    """A reader as research runs use it; a passage scores what its best evidence does."""

    def __init__(self, name: str, reader: Reader, *, window_tokens: int) -> None:
        self.name = name
        self.model = reader.model_id
        self._reader = reader
        self._window_tokens = window_tokens

    async def rank(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[float]:
        return await self._scores(question, passages, None, cancel, progress)

    async def rank_pool(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[float]:
        return await self._scores(question, passages, self._window_tokens, cancel, progress)

    async def read(
        self,
        questions: Sequence[str],
        pages: Sequence[Page],
        *,
        budget: ReadingBudget,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[Reading]:
        return await self._reader.read(
            questions, pages, budget=budget, cancel=cancel, progress=progress
        )

    async def _scores(
        self,
        question: str,
        passages: Sequence[Passage],
        window_tokens: int | None,
        cancel: Cancellation,
        progress: Progress,
    ) -> list[float]:
        pages = [passage.page for passage in passages]
        # No piece of a page is shorter than a character: whatever was read comes back.
        everything = max(1, sum(len(page.text) for page in pages))
        budget = ReadingBudget(window_tokens=window_tokens, evidence=everything)
        [reading] = await self._reader.read(
            [question], pages, budget=budget, cancel=cancel, progress=progress
        )
        best: dict[str, float] = {}
        for evidence in reading.evidence:
            page_id = evidence.span.page_id
            best[page_id] = max(best.get(page_id, evidence.score), evidence.score)
        return [best.get(page.page_id, float("-inf")) for page in pages]
