"""Fusing rankings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)

_RANK_OFFSET = 60


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[K]], weights: Sequence[float] | None = None
) -> list[tuple[K, float]]:
    """Keys with their fused scores, best first: the sum of weight / (60 + rank) over the rankings.

    Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion", SIGIR 2009. Ties keep the order in
    which the rankings name them. ``weights`` are one for each ranking, 1 where there are none.
    """
    scores: dict[K, float] = defaultdict(float)
    for ranking, weight in zip(rankings, weights or [1.0] * len(rankings), strict=True):
        for rank, key in enumerate(ranking, start=1):
            scores[key] += weight / (_RANK_OFFSET + rank)
    return sorted(scores.items(), key=lambda item: -item[1])
