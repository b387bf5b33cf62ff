"""What the pictures of a head map have in common: names of rows, strengths, evidence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..evidence import Evidence
from .heads import Head
from .heatmap import HeadMap, Stretch

ALL_HEADS = "all heads"


def row_name(head: Head | None) -> str:
    """ "layer 11, head 12"; all heads together are None."""
    return ALL_HEADS if head is None else f"layer {head.layer}, head {head.head}"


def row_code(head: Head | None) -> str:
    """ "11.12", for narrow columns."""
    return "all" if head is None else f"{head.layer}.{head.head}"


def words_of(head_map: HeadMap) -> list[Stretch]:
    return [word for passage in head_map.passages for word in passage.words]


def sentences_of(head_map: HeadMap) -> list[Stretch]:
    return [sentence for passage in head_map.passages for sentence in passage.sentences]


class Strengths:
    """Shares as numbers from 0 to 1 that are even to the eye.

    Each row is measured by its own largest share: heads differ in how much they look at text at
    all. The square root lifts what is weak, because a few words attract most.
    """

    def __init__(self, stretches: Iterable[Stretch]) -> None:
        columns = list(zip(*(stretch.shares for stretch in stretches), strict=True))
        self._largest = [max(0.0, *column) for column in columns]

    def of(self, stretch: Stretch) -> list[float]:
        """One for each row; 0 where asking nothing attracts as much."""
        return [
            (max(share, 0.0) / largest) ** 0.5 if largest > 0 else 0.0
            for share, largest in zip(stretch.shares, self._largest, strict=True)
        ]


def evidence_at(evidence: Sequence[Evidence], page_id: str, start: int, end: int) -> int | None:
    """The number (from 1) of the best evidence that shares characters with ``[start, end)``."""
    for number, found in enumerate(evidence, start=1):
        span = found.span
        if span.page_id == page_id and span.start < end and start < span.end:
            return number
    return None
