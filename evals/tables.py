"""Wide tables measured: what a run of research finds, beside what the model alone writes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from ..agent.researcher import Researcher
from ..budget import Limits
from ..cancellation import Cancellation
from ..errors import LeadlineError
from ..runtime.engine import Engine, GenerationRequest, Message
from .intervals import bootstrap, share_interval
from .rows import Row
from .table_tasks import TableTask
from .widesearch.judge import LiteralJudge
from .widesearch.rules import CorrectedRules
from .widesearch.scoring import SCORE_NAMES, ScoredTable, score_response
from .widesearch.tasks import WideSearchTask

METHODS = ("closed-book", "leadline")

_CLOSED_BOOK = (
    "Answer with one complete Markdown table, in a fence marked markdown, from what you know."
)
_CLOSED_BOOK_TOKENS = 2000


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one task went."""

    instance_id: str
    set: str
    method: str
    status: str
    scored: ScoredTable
    seconds: float
    tokens: int
    """Prompt, completion and read tokens."""


async def found_by_research(
    tasks: Sequence[TableTask],
    researcher: Researcher,
    *,
    seconds: float | None,
    cancel: Cancellation,
) -> AsyncIterator[Outcome]:
    """Tabulate each task; one that fails scores nothing."""
    for task in tasks:
        started = time.monotonic()
        response, status, tokens = "", "failed", 0
        try:
            report = await researcher.tabulate(
                task.query, limits=Limits(seconds=seconds), cancel=cancel
            )
        except LeadlineError as error:
            cancel.check()
            status = f"failed: {error}"
        else:
            usage = report.usage
            response, status = report.markdown, report.status
            tokens = usage.prompt_tokens + usage.completion_tokens + usage.read_tokens
        spent = time.monotonic() - started
        scored = await _scored(task, response)
        yield Outcome(task.instance_id, task.set, "leadline", status, scored, spent, tokens)


async def closed_book(
    tasks: Sequence[TableTask], engine: Engine, *, cancel: Cancellation
) -> AsyncIterator[Outcome]:
    """Ask the model for each table without any page."""
    for task in tasks:
        started = time.monotonic()
        messages = (Message("system", _CLOSED_BOOK), Message("user", task.query))
        request = GenerationRequest(messages=messages, max_tokens=_CLOSED_BOOK_TOKENS)
        answer = await engine.generate(request, cancel=cancel)
        spent = time.monotonic() - started
        tokens = answer.prompt_tokens + answer.completion_tokens
        scored = await _scored(task, answer.text)
        yield Outcome(
            task.instance_id, task.set, "closed-book", answer.finish_reason, scored, spent, tokens
        )


def rows(outcomes: Sequence[Outcome], *, model: str) -> list[Row]:
    """The means over the tasks of each set, with their intervals."""
    found = []
    for method, name in dict.fromkeys((outcome.method, outcome.set) for outcome in outcomes):
        chosen = [o for o in outcomes if (o.method, o.set) == (method, name)]
        for measure in SCORE_NAMES:
            values = [outcome.scored.score.as_dict()[measure] for outcome in chosen]
            low, high = share_interval(values)
            mean = sum(values) / len(values)
            found.append(Row(method, model, name, measure, mean, low, high, len(values)))
        for measure in ("seconds", "tokens"):
            amounts = [float(getattr(outcome, measure)) for outcome in chosen]
            low, high = bootstrap(amounts)
            mean = sum(amounts) / len(amounts)
            found.append(Row(method, model, name, measure, mean, low, high, len(amounts)))
    return found


async def _scored(task: TableTask, response: str) -> ScoredTable:
    evaluation = WideSearchTask.model_validate(task.record).evaluation
    return await score_response(
        response, task.gold_csv, evaluation, rules=CorrectedRules(), judge=LiteralJudge()
    )
