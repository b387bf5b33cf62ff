"""Which search backends are asked a question, by what they say that they find.

After MCP-Zero (arXiv 2506.01056): what is needed is matched against descriptions, so that no list
of tools enters a prompt however many there are, and no stranger's description reaches a model.
The need is the question itself.
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
        self, backends: Sequence[D], question: str, *, cancel: Cancellation
    ) -> list[D]:
        """The best backends for ``question``, best first; all of them where there are no more.

        Raises:
            Cancelled: ``cancel`` was set.
        """
        if len(backends) <= self.most:
            return list(backends)
        descriptions = [backend.description for backend in backends]
        scores = await asyncio.to_thread(self.ranker.rank, question, descriptions, cancel=cancel)
        order = sorted(range(len(backends)), key=lambda place: -scores[place])
        return [backends[place] for place in order[: self.most]]
