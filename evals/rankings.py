"""How a method ranked the documents of a topic, as far as trec_eval can tell ranks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Self

from pydantic import BaseModel, ConfigDict

from .rankers import best_first

DEPTH = 100
"""Documents that are kept of a ranking."""


class Ranking(BaseModel):
    """The best documents of one topic, and which are relevant to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topic: str
    """The topic's id in the data."""
    documents: tuple[tuple[str, float], ...]
    """Ids with scores that fall from one to the next, best first."""
    relevant: dict[str, int]
    """Grades by document; one that is not named has none."""

    @classmethod
    def of(
        cls,
        topic: str,
        documents: Sequence[str],
        scores: Sequence[float],
        relevant: Mapping[str, int],
    ) -> Self:
        """The ranking of ``documents`` by ``scores``; equal scores keep their order.

        trec_eval looks at scores alone and parts equal ones by the documents' ids. Where scores
        are equal or endless, the reciprocals of the ranks stand for them.
        """
        places = best_first(scores)[:DEPTH]
        kept = [float(f"{scores[place]:.6g}") for place in places]
        falls = all(before > after for before, after in pairwise(kept))
        if not falls or not all(map(math.isfinite, kept)):
            kept = [1 / rank for rank in range(1, len(places) + 1)]
        names = [documents[place] for place in places]
        return cls(
            topic=topic, documents=tuple(zip(names, kept, strict=True)), relevant=dict(relevant)
        )
