"""Timing alternatives side by side, so that what else the machine does hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..cancellation import Cancellation
from .rows import Row


@dataclass(frozen=True, slots=True)
class Timing:
    """What one alternative took, in seconds, round by round."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    def rates(self, amount: float) -> list[float]:
        """``amount`` a second, round by round."""
        return [amount / seconds for seconds in self.seconds]

    def speedups(self, baseline: Timing) -> list[float]:
        """How many times as fast as ``baseline``, round by round."""
        return [b / own for own, b in zip(self.seconds, baseline.seconds, strict=True)]


def time_interleaved(
    calls: Mapping[str, Callable[[], object]],
    *,
    rounds: int,
    warm_up: bool = True,
    cancel: Cancellation,
) -> dict[str, Timing]:
    """Each call once unmeasured to warm up, then each in turn, ``rounds`` times.

    Raises:
        Cancelled: ``cancel`` was set meanwhile.
    """
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for measured in [False] * warm_up + [True] * rounds:
        for name, call in calls.items():
            cancel.check()
            started = time.perf_counter()
            call()
            if measured:
                taken[name].append(time.perf_counter() - started)
    return {name: Timing(tuple(seconds)) for name, seconds in taken.items()}


def median_row(
    values: Sequence[float], *, method: str, model: str = "", set_name: str, metric: str
) -> Row:
    """The median of ``values``, with the lowest and the highest."""
    return Row(
        method=method,
        model=model,
        set=set_name,
        metric=metric,
        value=statistics.median(values),
        low=min(values),
        high=max(values),
        n=len(values),
    )
