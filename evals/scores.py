"""What a reading method scored on a question, and the rows that many such scores make."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from statistics import fmean

from pydantic import BaseModel, ConfigDict

from ..agent.exports.trec_answer import TrecAnswer
from ..runtime.reader import Reading
from .intervals import bootstrap, share_interval
from .rankings import Ranking
from .rows import Row


class Score(BaseModel):
    """How one question went with one method."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    model: str
    sets: tuple[str, ...]
    """Every set that the question counts in, the narrowest first."""
    question: str
    shares: dict[str, float]
    """Metrics in [0, 1] by name."""
    costs: dict[str, float] = {}
    """Seconds, tokens read: by name, in any unit."""
    ranking: Ranking | None = None
    """Where documents were ranked."""
    answer: TrecAnswer | None = None
    """Where something was written."""


def reading_costs(reading: Reading) -> dict[str, float]:
    """Seconds; and the tokens that attention went over, if any."""
    costs = {"seconds": reading.seconds}
    return {**costs, "read tokens": reading.read_tokens} if reading.read_tokens else costs


def rows(scores: Iterable[Score]) -> list[Row]:
    """The mean of each metric and cost over each set, for each method, with its 95 % interval.

    Narrow sets come before those that hold them; sets, methods and metrics otherwise in the order
    in which the scores first name them.
    """
    values: dict[tuple[str, str, str], dict[str, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    costs: set[str] = set()
    breadth: dict[str, int] = {}
    for score in scores:
        costs |= score.costs.keys()
        for place, set_name in enumerate(score.sets):
            breadth.setdefault(set_name, place)
            for metric, value in {**score.shares, **score.costs}.items():
                values[set_name, score.method, score.model][metric].append(value)
    order = sorted(breadth, key=lambda set_name: breadth[set_name])
    return [
        _row(key, metric, measured, bootstrap if metric in costs else share_interval)
        for key, metrics in sorted(values.items(), key=lambda item: order.index(item[0][0]))
        for metric, measured in metrics.items()
    ]


def _row(
    key: tuple[str, str, str],
    metric: str,
    values: list[float],
    interval: Callable[[Sequence[float]], tuple[float, float]],
) -> Row:
    set_name, method, model = key
    low, high = interval(values)
    return Row(method, model, set_name, metric, fmean(values), low, high, len(values))
