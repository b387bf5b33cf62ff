"""Ways to make a table: the model alone, with the passages of one search, and by research."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ..agent.researcher import Researcher
from ..budget import Limits
from ..cancellation import Cancellation
from ..errors import LeadlineError
from ..runtime.engine import Engine, GenerationRequest, Message
from ..runtime.prompt_fitting import fit
from ..threads import in_thread
from ..tools.corpus import Corpus
from .table_tasks import TableTask

BASELINES = ("closed-book", "one-shot")

_PASSAGES = 20
_TABLE_TOKENS = 2000

_FROM_MEMORY = (
    "Answer with one complete Markdown table, in a fence marked markdown, from what you know."
)
_FROM_PASSAGES = (
    "Answer with one complete Markdown table, in a fence marked markdown, from the passages."
)


@dataclass(frozen=True, slots=True)
class TableAnswer:
    """What came of one task."""

    response: str
    """Text with a Markdown table; empty where there is none."""
    status: str
    seconds: float
    tokens: int
    """Prompt, completion and read tokens."""


class TableMethod(Protocol):
    """Something that makes tables."""

    async def tabulate(self, task: TableTask, *, cancel: Cancellation) -> TableAnswer:
        """Raises ModelError, ServiceError: the model cannot be used; Cancelled."""
        ...


@dataclass(frozen=True, slots=True)
class ModelAlone:
    """The model without any page."""

    engine: Engine

    async def tabulate(self, task: TableTask, *, cancel: Cancellation) -> TableAnswer:
        return await _asked(self.engine, _FROM_MEMORY, task.query, (), cancel=cancel)


@dataclass(frozen=True, slots=True)
class OneShot:
    """The best passages of one hybrid search put before the model, as many as its window holds:
    retrieval-augmented generation as most programmes do it."""

    engine: Engine
    corpus: Corpus

    async def tabulate(self, task: TableTask, *, cancel: Cancellation) -> TableAnswer:
        started = time.monotonic()

        def look_up(stop: Cancellation) -> list[str]:
            hits = self.corpus.search(task.query, _PASSAGES, cancel=stop)
            return [f"{h.title}\n{self.corpus.page(h.page_id).text[h.start : h.end]}" for h in hits]

        passages = await in_thread(look_up, cancel=cancel)
        answer = await _asked(self.engine, _FROM_PASSAGES, task.query, passages, cancel=cancel)
        spent = time.monotonic() - started
        return TableAnswer(answer.response, answer.status, spent, answer.tokens)


@dataclass(frozen=True, slots=True)
class Research:
    """A run that ends in a table."""

    researcher: Researcher
    seconds: float | None = None
    """Budget for a task."""

    async def tabulate(self, task: TableTask, *, cancel: Cancellation) -> TableAnswer:
        started = time.monotonic()
        try:
            report = await self.researcher.tabulate(
                task.query, limits=Limits(seconds=self.seconds), cancel=cancel
            )
        except LeadlineError as error:
            cancel.check()
            return TableAnswer("", f"failed: {error}", time.monotonic() - started, 0)
        usage = report.usage
        tokens = usage.prompt_tokens + usage.completion_tokens + usage.read_tokens
        return TableAnswer(report.markdown, report.status, time.monotonic() - started, tokens)


async def _asked(
    engine: Engine, system: str, query: str, passages: Sequence[str], *, cancel: Cancellation
) -> TableAnswer:
    """The model's table; the worst passages are left out where its window is too small."""

    def render(kept: Sequence[str]) -> tuple[Message, ...]:
        return Message("system", system), Message("user", "\n\n".join([*reversed(kept), query]))

    started = time.monotonic()
    fitted = await fit(engine, render, passages, max_tokens=_TABLE_TOKENS)
    request = GenerationRequest(messages=fitted.messages, max_tokens=_TABLE_TOKENS)
    answer = await engine.generate(request, cancel=cancel)
    tokens = answer.prompt_tokens + answer.completion_tokens
    return TableAnswer(answer.text, answer.finish_reason, time.monotonic() - started, tokens)
