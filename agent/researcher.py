"""Ask a question, get a report: one run from its first event to its last."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TypedDict, Unpack

from ..budget import Budget, Limits
from ..cancellation import Cancellation
from ..errors import InputError, LeadlineError, ReadingError
from ..evidence import Evidence, Page
from ..progress import Progress, silent
from ..runtime.engine import Engine
from ..runtime.heatmap import HeadMap, Looker
from ..runtime.reader import Reader
from ..tools.vector_index import Embedder
from .checkpoints import run_checkpointed
from .earlier_run import EarlierRun
from .events import Event, RunFinished, RunStarted, UsageUpdated
from .journal import journaled
from .metering import MeteredEngine
from .question_signs import columns_wanted
from .report import Report
from .research import RunState, build_research
from .routing import learn_score, routed
from .run_history import RunHistory
from .run_report import report_of
from .run_store import RunFolder, RunRecord, RunStore
from .sources import Source
from .steering import Clarify, Steering
from .supervision import supervised
from .tables.schema import TableWishes
from .tables.table_run import run_table
from .toolbox import Effort, PageLookup, Toolbox

MAX_QUESTION_CHARACTERS = 4_000
_CHECKPOINT_STEPS = 1_000


class RunOptions(TypedDict, total=False):
    """What may be said of a run when it is begun or resumed."""

    limits: Limits | None
    """The budget; one that runs out ends the run in a report that says so."""
    cancel: Cancellation | None
    """Stops the run, which can then be resumed."""
    on_event: Callable[[Event], None]
    """Sees every event as it comes; they go to the run's log in any case."""
    progress: Progress
    steering: Steering | None
    """Edits of the plan, pauses and other limits while the run is under way."""
    clarify: Clarify | None
    """Asks the person, once at most and before there is a plan; nothing is asked without it."""


class Researcher:
    """Runs questions with one engine, one reader and a set of sources.

    ``others`` are engines that may answer in its place, where the effort routes questions.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        reader: Reader,
        sources: Sequence[Source],
        pages: PageLookup,
        runs: RunStore,
        effort: Effort | None = None,
        others: Sequence[Engine] = (),
        embedder: Embedder | None = None,
    ) -> None:
        self._engines, self._reader = (engine, *others), reader
        self._sources, self._pages = tuple(sources), pages
        self._runs = runs
        self._effort = effort or Effort()
        self._embedder = embedder

    @property
    def reader(self) -> Reader:
        return self._reader

    @property
    def sources(self) -> tuple[Source, ...]:
        return self._sources

    async def run(self, question: str, **options: Unpack[RunOptions]) -> Report:
        """Research ``question`` to a report; one that asks for facts on each of several things
        ends in a table, as :meth:`tabulate` makes it.

        A budget that runs out ends in a report that says so. What one sub-question suffers is
        named in the report; only what stops the whole run is raised.

        Raises:
            InputError: the question is empty or too long.
            Cancelled: the user stopped the run; it can be resumed.
            ModelError: the model cannot be used.
            ServiceError: the model's endpoint failed before anything was answered.
            StorageError: the disk refused.
        """
        table = _table_wanted(question)
        return await self._go(await self._new_run(question, table=table), options)

    async def follow_up(self, run_id: str, question: str, **options: Unpack[RunOptions]) -> Report:
        """Research ``question`` as a new run that looks at the pages of an earlier one as well.

        They are kept with what was read of them, so that this costs little. Raises as :meth:`run`
        does, and:
            RunError: there is no run ``run_id``, or several runs fit it.
        """
        earlier = self._runs.get(run_id).record.run_id
        table = _table_wanted(question)
        return await self._go(await self._new_run(question, table=table, follows=earlier), options)

    async def tabulate(
        self, query: str, wishes: TableWishes | None = None, **options: Unpack[RunOptions]
    ) -> Report:
        """Find the table that ``query`` asks for; the report's ``table`` has it cell by cell.

        A table has no plan to edit, and nothing is asked back. Raises as :meth:`run` does, and:
            InputError: ``wishes`` name a key that is no column.
            OutputInvalid: neither the query nor the model says which columns there are.
            SearchError: no source could be searched.
        """
        return await self._go(await self._new_run(query, table=wishes or TableWishes()), options)

    async def resume(self, run_id: str, **options: Unpack[RunOptions]) -> Report:
        """Go on with a run that was stopped, from its last checkpoints; see :meth:`run`.

        Raises:
            RunError: there is no such run.
        """
        folder = self._runs.get(run_id)
        if report := folder.report:
            _say_finished(folder, report)
            return report
        return await self._go(folder, options)

    async def look(
        self,
        question: str,
        pages: Sequence[Page],
        evidence: Sequence[Evidence],
        *,
        cancel: Cancellation,
    ) -> HeadMap:
        """What the reader's heads look at in ``pages`` when ``question`` is asked.

        Raises:
            ReadingError: the reader has no heads, or the pages have no text.
            Cancelled: ``cancel`` was set meanwhile.
        """
        if not isinstance(self._reader, Looker):
            raise ReadingError(
                f"{self._reader.model_id} reads without a model, there is no attention to show",
                remedy="choose a reader that has one",
            )
        budget = self._effort.reading_budget
        return await self._reader.look(question, pages, evidence, budget=budget, cancel=cancel)

    async def learn(self, report: Report, score: float, *, cancel: Cancellation) -> None:
        """Take a report's score, in [0, 1], into account when questions are routed.

        Raises:
            StorageError: it cannot be kept.
            Cancelled: ``cancel`` was set meanwhile.
        """
        if self._effort.routing != "off":
            await learn_score(report.question, report.model, score, cancel=cancel)

    async def _new_run(
        self, question: str, *, table: TableWishes | None = None, follows: str | None = None
    ) -> RunFolder:
        question = checked_question(question)
        models = [engine.model_id for engine in self._engines]
        return self._runs.create(
            question,
            model=await routed(question, models, self._effort.routing),
            reader=self._reader.model_id,
            sources=tuple(source.name for source in self._sources),
            table=table,
            follows=follows,
        )

    async def _go(self, folder: RunFolder, options: RunOptions) -> Report:
        record, history = folder.record, RunHistory(folder)
        budget = Budget(options.get("limits"), spent=history.usage)
        cancel, deadline = options.get("cancel") or Cancellation(), Cancellation()
        on_event = options.get("on_event")

        def observe(event: Event) -> None:
            history.add(event)
            if budget.exhausted:
                deadline.cancel()
            if on_event is not None:
                on_event(event)

        log = folder.open_log(observe)
        box = Toolbox(
            engine=MeteredEngine(self._engine_of(record), budget),
            reader=self._reader,
            sources=self._sources_of(record),
            pages=self._pages,
            budget=budget,
            cancel=cancel,
            emit=log.emit,
            deadline=deadline,
            effort=self._effort,
            today=record.started_at.date(),
            progress=options.get("progress", silent),
            embedder=self._embedder,
            steering=options.get("steering") or Steering(),
            clarify=options.get("clarify"),
        )
        unsubscribe = cancel.on_cancel(deadline.cancel)
        try:
            if not history.started:
                log.emit(_started(record))
            async with supervised(budget, deadline, box.steering, log.emit):
                report = await _work(folder, box, history)
            folder.save_report(report)
            log.emit(RunFinished(report=report))
            return report
        finally:
            # The log that cannot be written must not hide how the run ended.
            with contextlib.suppress(LeadlineError):
                log.emit(UsageUpdated(usage=budget.usage))
            unsubscribe()
            log.close()

    def _engine_of(self, record: RunRecord) -> Engine:
        """The engine that the run began with; the first where that one is not there any more."""
        for engine in self._engines:
            if engine.model_id == record.model:
                return engine
        return self._engines[0]

    def _sources_of(self, record: RunRecord) -> tuple[Source, ...]:
        if record.follows is None:
            return self._sources
        earlier = EarlierRun(
            record.follows,
            self._runs,
            self._pages,
            least_characters=self._effort.reading_characters,
        )
        return (earlier, *self._sources)


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


def _table_wanted(question: str) -> TableWishes | None:
    columns = columns_wanted(question)
    return TableWishes(columns=columns) if columns else None


def _say_finished(folder: RunFolder, report: Report) -> None:
    """Add the last event where the run was killed between its report and it."""
    if any(isinstance(event, RunFinished) for event in folder.events()):
        return
    with contextlib.closing(folder.open_log(lambda event: None)) as log:
        log.emit(RunFinished(report=report))


def _started(record: RunRecord) -> RunStarted:
    return RunStarted(
        question=record.question,
        model=record.model,
        reader=record.reader,
        sources=record.sources,
    )


async def _work(folder: RunFolder, box: Toolbox, history: RunHistory) -> Report:
    """Run the graph from its last checkpoint, or from the start, to the report."""
    record = folder.record
    with journaled(box, folder.journal) as tools:
        if record.table is not None:
            return await run_table(folder, record.table, tools)
        values = await run_checkpointed(
            build_research,
            folder.checkpoints,
            thread=folder.path.name,
            start=RunState(run_id=folder.path.name, question=record.question),
            box=tools,
            steps=_CHECKPOINT_STEPS,
        )
        return report_of(record, values, tools, history)
