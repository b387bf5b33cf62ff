"""The sentences of a passage that attention rests on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from torch import Tensor

from ..segmentation import sentences
from .passages import Passage


def sentence_runs(
    passage: Passage, offsets: Sequence[tuple[int, int]], attention: Tensor, max_chars: int
) -> list[tuple[Passage, float]]:
    """Runs of neighbouring whole sentences of a passage, of ``max_chars`` at most.

    The run that attracts most attention comes first, then those of what it leaves on either side,
    as far as they attract any. Each has its share of what the first attracts; the first has 1.

    Args:
        offsets: for each column, the characters of the page's text that it stands for.
        attention: ``(columns,)``. A sentence's part is the sum over its columns; one that
            attracts less than nothing (than the content-free question does) counts nothing.
        max_chars: one sentence alone may be longer.
    """
    spans = [(passage.start + a, passage.start + b) for a, b in sentences(passage.text)]
    parts = _parts(spans, offsets, attention.tolist())
    totals = [0.0, *accumulate(max(part, 0.0) for part in parts)]
    runs: list[tuple[Passage, float]] = []
    most = 0.0
    ranges = [(0, len(spans))]
    while ranges:
        first, stop = ranges.pop()
        start, end = _best_run(spans, parts, totals, range(first, stop), max_chars)
        attracted = totals[end] - totals[start]
        if not runs:
            most = attracted
        elif not attracted:
            continue
        share = attracted / most if runs else 1.0
        runs.append((Passage(passage.page, spans[start][0], spans[end - 1][1]), share))
        ranges += [rest for rest in ((first, start), (end, stop)) if rest[0] < rest[1]]
    return sorted(runs, key=lambda run: -run[1])


def _best_run(
    spans: Sequence[tuple[int, int]],
    parts: Sequence[float],
    totals: Sequence[float],
    among: range,
    max_chars: int,
) -> tuple[int, int]:
    """``[start, end)`` of the sentences ``among`` that together attract most; of runs that attract
    the same the shortest."""
    best = max(among, key=lambda place: parts[place])
    choice = (best, best + 1)
    for start in among:
        for end in range(start + 1, among.stop + 1):
            if end > start + 1 and spans[end - 1][1] - spans[start][0] > max_chars:
                break
            gain = totals[end] - totals[start] - totals[choice[1]] + totals[choice[0]]
            if gain > 0 or (gain == 0 and end - start < choice[1] - choice[0]):
                choice = (start, end)
    return choice


def _parts(
    spans: Sequence[tuple[int, int]], offsets: Sequence[tuple[int, int]], attention: list[float]
) -> list[float]:
    """Attention of each span; a column belongs to the span in which its last character lies."""
    parts = [0.0] * len(spans)
    place = 0
    for (_, end), part in zip(offsets, attention, strict=True):
        while place + 1 < len(spans) and end > spans[place][1]:
            place += 1
        parts[place] += part
    return parts
