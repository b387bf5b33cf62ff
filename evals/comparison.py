"""Two results of one evaluation beside each other, question by question."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from pydantic import JsonValue

from .intervals import bootstrap, mcnemar, paired_share_difference
from .result import EvaluationResult

_NAMES = ("question", "instance_id", "key")
"""Fields that tell the questions of an evaluation apart."""
_DEEPEST = 3
"""Objects within objects in which figures are looked for."""

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Difference:
    """A metric of the questions that two results share."""

    set: str
    method: str
    metric: str
    first: float
    second: float
    low: float
    """Of the 95 % interval of ``second`` minus ``first``."""
    high: float
    n: int
    """Questions in both."""
    p: float | None
    """McNemar's exact test, where each question is a hit or a miss."""

    @property
    def difference(self) -> float:
        return self.second - self.first

    @property
    def is_clear(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def comparable(first: EvaluationResult, second: EvaluationResult) -> bool:
    """Whether both are of one evaluation on the same data."""
    same = first.name == second.name and first.data.digest == second.data.digest
    return same and bool(first.data.digest)


def differences(first: EvaluationResult, second: EvaluationResult) -> list[Difference]:
    """The metrics of the questions that both results tell of, in the order of ``first``.

    Empty where a result tells of no question by itself. The intervals are Newcombe's for hits and
    misses, the paired bootstrap for anything else.

    Raises:
        ValueError: the results are not comparable.
    """
    if not comparable(first, second):
        raise ValueError(f"{first.name} and {second.name} were not measured on the same data")
    before, after = _by_question(first.questions), _by_question(second.questions)
    pairs: dict[_Key, tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for (set_name, method, question), values in before.items():
        others = after.get((set_name, method, question), {})
        for metric, value in values.items():
            if metric in others:
                of_metric = pairs[set_name, method, metric]
                of_metric[0].append(value)
                of_metric[1].append(others[metric])
    return [_difference(key, *values) for key, values in pairs.items()]


def _difference(key: _Key, first: Sequence[float], second: Sequence[float]) -> Difference:
    p = None
    if all(value in (0.0, 1.0) for value in (*first, *second)):
        low, high = paired_share_difference(first, second)
        p = mcnemar(first, second)
    else:
        low, high = bootstrap([b - a for a, b in zip(first, second, strict=True)])
    return Difference(*key, fmean(first), fmean(second), low, high, len(first), p)


def _by_question(
    questions: Sequence[Mapping[str, JsonValue]],
) -> dict[_Key, dict[str, float]]:
    """The figures of each question; one that cannot be told from another is left out."""
    found: dict[_Key, dict[str, float]] = {}
    twice: set[_Key] = set()
    for item in questions:
        name = next((str(item[each]) for each in _NAMES if each in item), "")
        sets = item.get("sets") or [item.get("set", "")]
        set_name = str(sets[0]) if isinstance(sets, list) else ""
        key = set_name, str(item.get("method", "")), f"{name} {item.get('trial', '')}".strip()
        if not name or key in found:
            twice.add(key)
        found[key] = dict(_figures(item))
    return {key: values for key, values in found.items() if key not in twice}


def _figures(item: Mapping[str, JsonValue], depth: int = 0) -> Iterator[tuple[str, float]]:
    """Numbers and truth values by name, those of inner objects too."""
    for name, value in item.items():
        if name == "trial":
            continue
        if isinstance(value, bool | int | float) and math.isfinite(value):
            yield name.replace("_", " "), float(value)
        elif isinstance(value, dict) and depth < _DEEPEST:
            yield from _figures(value, depth + 1)
