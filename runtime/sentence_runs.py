"""The sentences of a passage that attention rests on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from torch import Tensor

from ..segmentation import sentences
from .passages import Passage


def best_run(
    passage: Passage, offsets: Sequence[tuple[int, int]], attention: Tensor, max_chars: int
) -> Passage:
    """The neighbouring whole sentences, of ``max_chars`` at most, that attract most attention.

    Args:
        offsets: for each column, the characters of the page's text that it stands for.
        attention: ``(columns,)``. A sentence's share is the sum over its columns; one that
            attracts less than nothing (than the content-free question does) counts nothing.
        max_chars: one sentence alone may be longer.
    """
    spans = [(passage.start + a, passage.start + b) for a, b in sentences(passage.text)]
    shares = _shares(spans, offsets, attention.tolist())
    totals = [0.0, *accumulate(max(share, 0.0) for share in shares)]
    best = max(range(len(spans)), key=lambda place: shares[place])
    choice = (best, best)
    for first in range(len(spans)):
        for last in range(first, len(spans)):
            if last > first and spans[last][1] - spans[first][0] > max_chars:
                break
            gain = totals[last + 1] - totals[first] - totals[choice[1] + 1] + totals[choice[0]]
            if gain > 0 or (gain == 0 and last - first < choice[1] - choice[0]):
                choice = (first, last)
    return Passage(passage.page, spans[choice[0]][0], spans[choice[1]][1])


def _shares(
    spans: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]], attention: list[float]
) -> list[float]:
    """Attention of each span; a column belongs to the span in which its last character lies."""
    shares = [0.0] * len(spans)
    place = 0
    for (_, end), share in zip(offsets, attention, strict=True):
        while place + 1 < len(spans) and end > spans[place][1]:
            place += 1
        shares[place] += share
    return shares
