"""A figure as ``leadline eval run --json`` prints it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure: a proportion or a mean, with its 95 % interval (that of the observed values
    where ``metric`` is the seconds of cited answers)."""

    method: str
    model: str
    set: str
    metric: str
    value: float
    low: float
    high: float
    n: int
