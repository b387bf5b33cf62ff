"""Ask a question, get a report: one run from its first event to its last."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, cast

from ..budget import Budget, Limits
from ..cancellation import Cancellation
from ..errors import InputError, LeadlineError, RunError
from ..evidence import Citation, Evidence
from ..progress import Progress, silent
from ..runtime.engine import Engine
from ..runtime.reader import Reader
from .checkpoints import run_checkpointed
from .events import Event, EvidenceFound, RunFinished, RunStarted, UsageUpdated
from .metering import MeteredEngine
from .report import Claim, Report, RunProblem, Status, render_markdown
from .research import RunState, build_research
from .research_graph import ResearchGraph
from .run_store import RunFolder, RunStore
from .sources import Source
from .tables.schema import TableWishes
from .tables.table_run import run_table
from .toolbox import Effort, PageLookup, Toolbox

MAX_QUESTION_CHARACTERS = 4_000
_UNREAD_QUOTES = 5
_CHECKPOINT_STEPS = 100


class Researcher:
    """Runs questions with one engine, one reader and a set of sources."""

    def __init__(
        self,
        *,
        engine: Engine,
        reader: Reader,
        sources: Sequence[Source],
        pages: PageLookup,
        runs: RunStore,
        effort: Effort | None = None,
    ) -> None:
        self._engine, self._reader = engine, reader
        self._sources, self._pages = tuple(sources), pages
        self._runs = runs
        self._effort = effort or Effort()

    @property
    def reader(self) -> Reader:
        return self._reader

    @property
    def sources(self) -> tuple[Source, ...]:
        return self._sources

    async def run(
        self,
        question: str,
        *,
        limits: Limits | None = None,
        cancel: Cancellation | None = None,
        on_event: Callable[[Event], None] = lambda event: None,
        progress: Progress = silent,
    ) -> Report:
        """Research ``question`` to a report; every event goes to ``on_event`` and to the run's log.

        A budget that runs out ends in a report that says so. What one sub-question suffers is
        named in the report; only what stops the whole run is raised.

        Raises:
            InputError: the question is empty or too long.
            Cancelled: the user stopped the run; it can be resumed.
            ModelError: the model cannot be used.
            ServiceError: the model's endpoint failed before anything was answered.
            StorageError: the disk refused.
        """
        folder = self._new_run(question)
        return await self._go(folder, limits, cancel, on_event, progress)

    async def tabulate(
        self,
        query: str,
        wishes: TableWishes | None = None,
        *,
        limits: Limits | None = None,
        cancel: Cancellation | None = None,
        on_event: Callable[[Event], None] = lambda event: None,
        progress: Progress = silent,
    ) -> Report:
        """Find the table that ``query`` asks for; the report's ``table`` has it cell by cell.

        Raises as :meth:`run` does, and:
            InputError: ``wishes`` name a key that is no column.
            OutputInvalid: neither the query nor the model says which columns there are.
            SearchError: no source could be searched.
        """
        folder = self._new_run(query, table=wishes or TableWishes())
        return await self._go(folder, limits, cancel, on_event, progress)

    def _new_run(self, question: str, *, table: TableWishes | None = None) -> RunFolder:
        return self._runs.create(
            checked_question(question),
            model=self._engine.model_id,
            reader=self._reader.model_id,
            sources=tuple(source.name for source in self._sources),
            table=table,
        )

    async def resume(
        self,
        run_id: str,
        *,
        limits: Limits | None = None,
        cancel: Cancellation | None = None,
        on_event: Callable[[Event], None] = lambda event: None,
        progress: Progress = silent,
    ) -> Report:
        """Go on with a run that was stopped, from its last checkpoints; see :meth:`run`.

        Raises:
            RunError: there is no such run.
        """
        folder = self._runs.get(run_id)
        if report := folder.report:
            return report
        return await self._go(folder, limits, cancel, on_event, progress)

    async def _go(
        self,
        folder: RunFolder,
        limits: Limits | None,
        cancel: Cancellation | None,
        on_event: Callable[[Event], None],
        progress: Progress,
    ) -> Report:
        record = folder.record
        history = _History(folder)
        budget = Budget(limits, spent=history.usage)
        deadline = Cancellation()
        cancel = cancel or Cancellation()

        def observe(event: Event) -> None:
            history.add(event)
            if budget.exhausted:
                deadline.cancel()
            on_event(event)

        log = folder.open_log(observe)
        box = Toolbox(
            engine=MeteredEngine(self._engine, budget),
            reader=self._reader,
            sources=self._sources,
            pages=self._pages,
            budget=budget,
            cancel=cancel,
            emit=log.emit,
            deadline=deadline,
            effort=self._effort,
            progress=progress,
        )
        unsubscribe = cancel.on_cancel(deadline.cancel)
        try:
            if not history.started:
                log.emit(
                    RunStarted(
                        question=record.question,
                        model=record.model,
                        reader=record.reader,
                        sources=record.sources,
                    )
                )
            with _alarm(budget.remaining_seconds, deadline):
                report = await self._work(folder, box, history)
            folder.save_report(report)
            log.emit(RunFinished(report=report))
            return report
        finally:
            with contextlib.suppress(LeadlineError):
                log.emit(UsageUpdated(usage=budget.usage))
            unsubscribe()
            log.close()

    async def _work(self, folder: RunFolder, box: Toolbox, history: _History) -> Report:
        record = folder.record
        if record.table is not None:
            return await run_table(folder, record.table, box)
        state = await _run_graph(folder, record.question, box)
        return self._report(folder, state, box, history)

    def _report(
        self, folder: RunFolder, state: RunState, box: Toolbox, history: _History
    ) -> Report:
        record = folder.record
        graph = ResearchGraph.model_validate(state["graph"])
        claims = tuple(Claim.model_validate(claim) for claim in state["claims"])
        status = _status(graph, claims, out_of_budget=box.deadline.cancelled)
        open_questions = tuple(node.text for node in graph.open)
        unread = self._unread(graph, history) if status != "complete" else []
        problems = tuple(
            RunProblem(where=node.id, kind=node.error_kind or "", message=node.error)
            for node in graph.nodes
            if node.error
        )
        return Report(
            run_id=record.run_id,
            status=status,
            question=record.question,
            markdown=render_markdown(
                claims,
                status=status,
                open_questions=open_questions,
                problems=[problem.message for problem in problems],
                unread=unread,
            ),
            claims=claims,
            open_questions=open_questions,
            usage=box.budget.usage,
            errors=problems,
            dropped_citations=state.get("dropped_citations", 0),
            model=record.model,
            reader=record.reader,
            started_at=record.started_at,
            finished_at=datetime.now(UTC),
        )

    def _unread(self, graph: ResearchGraph, history: _History) -> list[Citation]:
        """The best evidence of questions that were stopped before they had an answer."""
        waiting = {node.id for node in graph.nodes if node.state == "waiting"}
        found = [evidence for node, evidence in history.evidence if node in waiting]
        best = sorted(found, key=lambda evidence: -evidence.score)[:_UNREAD_QUOTES]
        return [Citation.of(e.span, self._pages.get(e.span.page_id)) for e in best]


def checked_question(question: str) -> str:
    """``question`` without outer white space.

    Raises:
        InputError: it is empty, or longer than MAX_QUESTION_CHARACTERS.
    """
    question = question.strip()
    if not any(character.isalnum() for character in question):
        raise InputError("the question is empty", remedy='ask one: leadline "How does … work?"')
    if len(question) > MAX_QUESTION_CHARACTERS:
        raise InputError(
            f"the question has {len(question):,} characters, {MAX_QUESTION_CHARACTERS:,} are allowed",
            remedy="put documents into a folder, ask about them with --corpus FOLDER",
        )
    return question


class _History:
    """What earlier events of a run say; kept up to date as new ones come."""

    def __init__(self, folder: RunFolder) -> None:
        self.started = False
        self.usage = Budget().usage.model_copy(update={"seconds": 0.0})
        self.evidence: list[tuple[str, Evidence]] = []
        for event in folder.events():
            self.add(event)

    def add(self, event: Event) -> None:
        self.started = True
        if isinstance(event, EvidenceFound):
            self.evidence.append((event.span_id, event.evidence))
        elif isinstance(event, UsageUpdated):
            self.usage = event.usage


def _status(graph: ResearchGraph, claims: Sequence[Claim], *, out_of_budget: bool) -> Status:
    unchecked = any(claim.verdict == "unchecked" for claim in claims)
    if out_of_budget and (graph.open or unchecked):
        return "budget_exhausted"
    if not claims:
        return "failed"
    doubtful = any(claim.verdict != "supported" for claim in claims)
    return "partial" if graph.open or doubtful else "complete"


@contextlib.contextmanager
def _alarm(seconds: float | None, deadline: Cancellation) -> Iterator[None]:
    """Set ``deadline`` after ``seconds``."""
    if seconds is None:
        yield
        return
    handle = asyncio.get_running_loop().call_later(seconds, deadline.cancel)
    try:
        yield
    finally:
        handle.cancel()


async def _run_graph(folder: RunFolder, question: str, box: Toolbox) -> RunState:
    """Run the graph from its last checkpoint, or from the start."""
    values = await run_checkpointed(
        build_research,
        folder.checkpoints,
        thread=folder.path.name,
        start=RunState(run_id=folder.path.name, question=question),
        box=box,
        steps=_CHECKPOINT_STEPS,
    )
    return _as_state(values)


def _as_state(values: dict[str, Any]) -> RunState:
    if "claims" not in values or "graph" not in values:
        raise RunError("the run ended before it had written anything", remedy="ask again")
    return cast(RunState, values)
