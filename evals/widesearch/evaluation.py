"""The score of a system's responses over all tasks and trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...cancellation import Cancellation
from ...errors import ConfigError, EndpointError, ModelError
from ...progress import Progress, silent
from ..intervals import share_interval
from ..rows import Row
from .aggregation import Figure, TrialScore, aggregate
from .judge import Judge
from .responses import Response
from .rules import Rules
from .scoring import Score, ScoredTable, score_response
from .tasks import WideSearchTask


@dataclass(frozen=True, slots=True)
class Evaluated:
    """How each trial scored, and what could not be scored."""

    trials: tuple[tuple[TrialScore, ScoredTable], ...]
    problems: tuple[str, ...]
    """One line each: the trial counts as one that scored nothing, or not at all."""

    def figures(self, *, trials: int, official: bool) -> list[Figure]:
        scores = [score for score, _ in self.trials]
        return aggregate(scores, trials=trials, official=official)


async def evaluate(
    tasks: Sequence[WideSearchTask],
    gold: Mapping[str, str],
    responses: Sequence[Response],
    *,
    trials: int,
    rules: Rules,
    judge: Judge,
    cancel: Cancellation,
    progress: Progress = silent,
) -> Evaluated:
    """Score every trial of every task that has a gold table.

    A trial without a response, or one that the judge could not judge, scores nothing and is named
    in the problems; so is a response to no known task.

    Raises:
        Cancelled: ``cancel`` was set.
    """
    by_trial = {(response.instance_id, response.trial_idx): response for response in responses}
    known = {task.instance_id for task in tasks}
    problems = [f"there is no task {name!r}" for name, _ in by_trial if name not in known]
    scored: list[tuple[TrialScore, ScoredTable]] = []
    expected = [(task, n) for task in tasks if task.instance_id in gold for n in range(trials)]
    for done, (task, trial) in enumerate(expected):
        cancel.check()
        progress("scoring", done, len(expected), "responses")
        name = f"{task.instance_id}, trial {trial}"
        response = by_trial.get((task.instance_id, trial))
        result = ScoredTable(Score(), problem="there is no response")
        if response is not None:
            try:
                result = await score_response(
                    response.response,
                    gold[task.instance_id],
                    task.evaluation,
                    rules=rules,
                    judge=judge,
                )
            except (ConfigError, ModelError, EndpointError) as error:
                result = ScoredTable(Score(), problem=str(error))
        if result.problem:
            problems.append(f"{name}: {result.problem}")
        score = TrialScore(task.instance_id, task.language, trial, result.score)
        scored.append((score, result))
    progress("scoring", len(expected), len(expected), "responses")
    return Evaluated(tuple(scored), tuple(problems))


def rows(figures: Sequence[Figure], *, method: str, judge: str) -> list[Row]:
    """The figures as an evaluation prints them; ``set`` is all tasks or a language."""
    found = []
    for figure in figures:
        # The official rules can give more than 1, which no interval of shares can hold.
        low, high = share_interval([min(value, 1.0) for value in figure.values])
        n = len(figure.values)
        found.append(Row(method, judge, figure.scope, figure.name, figure.value, low, high, n))
    return found
