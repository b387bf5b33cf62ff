"""Scores of many tasks and trials as the figures that are published.

Avg@N is the mean over tasks of the mean over their trials; Pass@N (of success) and Max@N (of the
rest) take the best trial of each task instead; Min@N the worst.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from .scoring import SCORE_NAMES, Score

Scope = Literal["all", "en", "zh"]
Statistic = Literal["avg", "max", "min"]

_SCOPES: tuple[Scope, ...] = ("all", "en", "zh")
_REDUCTIONS: dict[Statistic, Callable[[Sequence[float]], float]] = {
    "avg": fmean,
    "max": max,
    "min": min,
}


@dataclass(frozen=True, slots=True)
class TrialScore:
    """The score of one trial of a task."""

    instance_id: str
    language: Literal["en", "zh"]
    trial: int
    score: Score


@dataclass(frozen=True, slots=True)
class Figure:
    """One published figure and the tasks' values behind it."""

    scope: Scope
    measure: str
    """One of :data:`.scoring.SCORE_NAMES`."""
    statistic: Statistic
    trials: int
    values: tuple[float, ...]
    """One for each task."""

    @property
    def name(self) -> str:
        """ "row_f1 Max@4"; the best success of several trials is called Pass."""
        statistic = self.statistic.capitalize()
        if self.measure == "success_rate" and self.statistic == "max":
            statistic = "Pass"
        return f"{self.measure} {statistic}@{self.trials}"

    @property
    def value(self) -> float:
        return fmean(self.values)


def aggregate(scores: Sequence[TrialScore], *, trials: int, official: bool = False) -> list[Figure]:
    """All figures over all tasks and over those of each language.

    A trial that is missing counts as one that scored nothing. ``official`` does as evalscope's
    port: Avg@N is the mean over all trials there are, and tasks that lack a trial are left out of
    the others (the original evaluation refuses to aggregate then).

    Raises:
        ValueError: a trial's number is not below ``trials``.
    """
    if any(not 0 <= score.trial < trials for score in scores):
        raise ValueError(f"a trial is not one of {trials}")
    figures: list[Figure] = []
    for scope in _SCOPES:
        chosen = [score for score in scores if scope in ("all", score.language)]
        by_task: dict[str, dict[int, Score]] = defaultdict(dict)
        for score in chosen:
            by_task[score.instance_id][score.trial] = score.score
        for measure in SCORE_NAMES if chosen else ():
            tasks = {
                name: [getattr(score, measure) for score in found.values()]
                for name, found in by_task.items()
            }
            for statistic in _REDUCTIONS:
                values = _values(tasks, statistic, trials, official)
                if values:
                    figures.append(Figure(scope, measure, statistic, trials, tuple(values)))
    return figures


def _values(
    tasks: dict[str, list[float]], statistic: Statistic, trials: int, official: bool
) -> list[float]:
    if official and statistic == "avg":
        return [value for values in tasks.values() for value in values]
    reduce = _REDUCTIONS[statistic]
    if official:
        return [reduce(values) for values in tasks.values() if len(values) == trials]
    return [reduce([*values, *[0.0] * (trials - len(values))]) for values in tasks.values()]
