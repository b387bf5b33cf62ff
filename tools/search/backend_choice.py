"""Which search backends are asked a question, by what they say that they find.

After MCP-Zero (arXiv 2506.01056): what is needed is matched against descriptions, so that no list
of tools enters a prompt however many there are, and no stranger's description reaches a model.
What is needed is the question itself, and what a model says that its answer would be found in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ...cancellation import Cancellation
from ..passage_ranker import HybridRanker


class Described(Protocol):
    @property
    def description(self) -> str: ...


D = TypeVar("D", bound=Described)


@dataclass(frozen=True, slots=True)
class BackendChoice:
    """Takes the ``most`` backends whose descriptions are nearest to a question."""

    ranker: HybridRanker
    most: int

    async def choose(
        self, backends: Sequence[D], question: str, *, need: str = "", cancel: Cancellation
    ) -> list[D]:
        """The best backends for ``question``, best first; all of them where there are no more.

        ``need`` is what kind of source would hold the answer, where that is known.

        Raises:
            Cancelled: ``cancel`` was set.
        """
        if len(backends) <= self.most:
            return list(backends)
        descriptions = [backend.description for backend in backends]
        rankings = [
            await asyncio.to_thread(self.ranker.rank, text, descriptions, cancel=cancel)
            for text in (question, need)
            if text
        ]
        scores = [sum(each) for each in zip(*rankings, strict=True)]  # each fuses by rank already
        order = sorted(range(len(backends)), key=lambda place: -scores[place])
        return [backends[place] for place in order[: self.most]]
