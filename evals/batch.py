"""Many questions and tables one after the other, each finished one written down at once.

The output has one line for each trial of a task, in WideSearch's format and more. Beside it lies
a journal of the runs that were begun, so that a batch which was killed goes on inside its runs.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..agent.assembly import Wishes, open_researcher
from ..agent.events import Event, RunStarted
from ..agent.report import Report
from ..agent.researcher import Researcher
from ..agent.run_store import RunStore, open_runs
from ..agent.tables.schema import TableWishes
from ..budget import Limits, Usage
from ..cancellation import Cancellation
from ..errors import Cancelled, ConfigError, LeadlineError
from ..progress import Progress
from ..storage import storage_errors, write_atomically
from .data_files import read_data_file
from .widesearch.tasks import first_problem


class BatchTask(BaseModel):
    """One line of the input: a question, or a table to find.

    WideSearch's tasks are tables: they have an ``instance_id`` and a ``query``.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance_id: str = Field(min_length=1)
    query: str = Field(min_length=1)
    kind: Literal["table", "question"] = "table"
    columns: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _with_other_names(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        named = dict(value)
        if "question" in named and "query" not in named:
            named |= {"query": named["question"], "kind": named.get("kind", "question")}
        if "id" in named and "instance_id" not in named:
            named["instance_id"] = str(named["id"])
        return named


class BatchResult(BaseModel):
    """One line of the output."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance_id: str
    trial_idx: int
    response: str
    """The report's Markdown; of a table the fenced table first. Empty where ``error`` says why."""
    messages: tuple[dict[str, str], ...] = ()
    run_id: str = ""
    status: str = "failed"
    usage: Usage = Usage()
    error: str = ""


@dataclass(frozen=True, slots=True)
class LoadedBatch:
    """Tasks, and what was wrong with the other lines."""

    tasks: tuple[BatchTask, ...]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """Where a batch stands after a result."""

    result: BatchResult
    done: int
    total: int
    failed: int
    seconds_left: float
    """At the pace of this session so far."""
    money: float
    """US dollars that this session paid."""


@dataclass(frozen=True, slots=True)
class Trial:
    task: BatchTask
    number: int

    @property
    def name(self) -> tuple[str, int]:
        return self.task.instance_id, self.number


Work = Callable[[Trial, str | None, Callable[[str], None]], Awaitable[BatchResult]]
"""Does a trial: given the id of the run that was begun for it, if there is one, and whom to tell
the id of a new one. What the trial suffers is its result's error."""


def load_batch(path: Path) -> LoadedBatch:
    """The tasks in a JSONL file.

    Raises:
        ConfigError: the file cannot be read, or holds no task at all.
    """
    tasks: dict[str, BatchTask] = {}
    problems: list[str] = []
    for number, line in enumerate(read_data_file(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            task = BatchTask.model_validate_json(line)
        except ValidationError as error:
            problems.append(f"{path.name}, line {number}: {first_problem(error)}")
            continue
        if task.instance_id in tasks:
            problems.append(f"{path.name}, line {number}: {task.instance_id!r} was there before")
        else:
            tasks[task.instance_id] = task
    if not tasks:
        reason = problems[0] if problems else "it is empty"
        raise ConfigError(
            f"{path} holds no task ({reason})",
            remedy='give one JSON object a line: {"id": "1", "query": "…"}',
        )
    return LoadedBatch(tuple(tasks.values()), tuple(problems))


class Ledger:
    """What is finished, in the output file; what is under way, in the journal beside it.

    Raises:
        ConfigError: the output is a folder or cannot be read.
        StorageError: the disk refused.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self._journal = output.with_name(f"{output.name}.runs")
        kept = [result for result in _results(output) if not result.error]
        self.finished = {(result.instance_id, result.trial_idx) for result in kept}
        """(instance_id, trial_idx) of every trial that has a result."""
        # Lines that a crash cut off and trials that failed are done again.
        lines = "".join(result.model_dump_json() + "\n" for result in kept)
        write_atomically(output.absolute(), lines)
        self._runs = {name: run_id for name, run_id in _begun(self._journal)}

    def run_of(self, trial: Trial) -> str | None:
        """The id of the run that was begun for ``trial``, if there is one."""
        return self._runs.get(trial.name)

    def begin(self, trial: Trial, run_id: str) -> None:
        """Write down that ``run_id`` works on ``trial``."""
        self._runs[trial.name] = run_id
        self._append(self._journal, json.dumps([*trial.name, run_id]))

    def finish(self, result: BatchResult) -> None:
        """Write down a result. A trial that failed keeps no run: it begins anew."""
        name = (result.instance_id, result.trial_idx)
        if result.error:
            self._runs.pop(name, None)
            self._append(self._journal, json.dumps([*name, None]))
        self.finished.add(name)
        self._append(self._output, result.model_dump_json())

    def _append(self, path: Path, line: str) -> None:
        with storage_errors(path), path.open("ab") as file:
            file.write(line.encode() + b"\n")


async def run_batch(
    tasks: Sequence[BatchTask],
    *,
    trials: int,
    workers: int,
    ledger: Ledger,
    work: Work,
    cancel: Cancellation,
    on_result: Callable[[BatchProgress], None],
) -> int:
    """Do every trial that has no result yet, ``workers`` at a time; how many of them failed.

    A trial that fails is written down with its error, and the rest goes on.

    Raises:
        Cancelled: ``cancel`` was set; what is finished is written down.
        StorageError: the disk refused.
    """
    expected = [Trial(task, number) for number in range(trials) for task in tasks]
    waiting = iter([trial for trial in expected if trial.name not in ledger.finished])
    already = done = sum(trial.name in ledger.finished for trial in expected)
    failed, money, started = 0, 0.0, time.monotonic()

    async def worker() -> None:
        nonlocal done, failed, money
        for trial in waiting:
            cancel.check()
            result = await work(trial, ledger.run_of(trial), partial(ledger.begin, trial))
            ledger.finish(result)
            done += 1
            failed += bool(result.error)
            money += result.usage.money
            pace = (time.monotonic() - started) / (done - already)
            left = (len(expected) - done) * pace
            on_result(BatchProgress(result, done, len(expected), failed, left, money))

    outcomes = await asyncio.gather(*(worker() for _ in range(workers)), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return failed


@asynccontextmanager
async def open_work(
    wishes: Wishes, *, cancel: Cancellation, progress: Progress, warn: Callable[[str], None]
) -> AsyncIterator[Work]:
    """Work in this process; raises what :func:`leadline.agent.assembly.open_researcher` does."""
    settings = wishes.settings
    async with open_researcher(wishes, cancel=cancel, progress=progress, warn=warn) as researcher:
        runs = open_runs(settings, wishes.runs)
        yield researching(researcher, runs, seconds=settings.seconds, cancel=cancel)


def researching(
    researcher: Researcher, runs: RunStore, *, seconds: float | None, cancel: Cancellation
) -> Work:
    """Work on a trial by research, going on with the run that was begun for it."""
    limits = Limits(seconds=seconds)

    async def report_of(trial: Trial, run_id: str | None, begun: Callable[[str], None]) -> Report:
        def note_start(event: Event) -> None:
            if isinstance(event, RunStarted):
                begun(event.run_id)

        if run_id and _is_there(runs, run_id):
            return await researcher.resume(run_id, limits=limits, cancel=cancel)
        task = trial.task
        if task.kind == "question":
            return await researcher.run(
                task.query, limits=limits, cancel=cancel, on_event=note_start
            )
        return await researcher.tabulate(
            task.query,
            TableWishes(columns=task.columns, keys=task.keys),
            limits=limits,
            cancel=cancel,
            on_event=note_start,
        )

    async def work(trial: Trial, run_id: str | None, begun: Callable[[str], None]) -> BatchResult:
        try:
            report = await report_of(trial, run_id, begun)
        except Cancelled as error:
            cancel.check()
            return failure(trial, str(error))
        except LeadlineError as error:
            return failure(trial, str(error))
        except Exception as error:  # noqa: BLE001 whatever one task meets, the others go on
            return failure(trial, f"{type(error).__name__}: {error}")
        return BatchResult(
            instance_id=trial.task.instance_id,
            trial_idx=trial.number,
            response=report.markdown,
            run_id=report.run_id,
            status=report.status,
            usage=report.usage,
        )

    return work


def failure(trial: Trial, error: str) -> BatchResult:
    """The result of a trial that has none."""
    return BatchResult(
        instance_id=trial.task.instance_id, trial_idx=trial.number, response="", error=error
    )


def _is_there(runs: RunStore, run_id: str) -> bool:
    return any(folder.path.name == run_id for folder in runs.all())


def _results(path: Path) -> Iterator[BatchResult]:
    if not path.exists():
        return
    for line in read_data_file(path).splitlines():
        try:
            yield BatchResult.model_validate_json(line)
        except ValidationError:
            continue


def _begun(path: Path) -> Iterator[tuple[tuple[str, int], str]]:
    """The last run of each trial, unless it failed."""
    if not path.exists():
        return
    runs: dict[tuple[str, int], str | None] = {}
    for line in read_data_file(path).splitlines():
        try:
            name, number, run_id = json.loads(line)
        except ValueError:
            # cut off by a crash
            continue
        runs[str(name), int(number)] = run_id
    yield from ((name, run_id) for name, run_id in runs.items() if run_id)
