"""Measuring reading methods one after the other, and keeping what is finished."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from ..cancellation import Cancellation
from ..errors import ConfigError
from ..locations import locations, make_private
from ..progress import Progress
from ..storage import storage_errors, write_atomically
from .bench import Bench
from .methods import open_method
from .reading_method import ReadingMethod
from .scores import Score

M = TypeVar("M")
"""A method that was opened."""
Q = TypeVar("Q")
"""A question, or a task."""
A = TypeVar("A")
"""What a method makes of it."""


class Trial(Protocol):
    """The questions that are put to a method at a time."""

    @property
    def key(self) -> str:
        """Names the trial within its evaluation."""
        ...

    async def measure(
        self, method: ReadingMethod, *, cancel: Cancellation, progress: Progress
    ) -> list[Score]:
        """One score per question."""
        ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Trials over data that was loaded."""

    name: str
    folders: tuple[Path, ...]
    """Where the data lies."""
    settings: Mapping[str, object]
    """What was chosen and what loading found out: with the data, it tells one evaluation from
    another."""
    trials: Sequence[Trial]
    questions: int
    references: tuple[Score, ...] = field(default=())
    """Known without measuring, to compare with: the best possible order and the like."""


def choose_sets(wanted: Sequence[str], known: Sequence[str]) -> list[str]:
    """``wanted``, or all of ``known`` if it is empty.

    Raises:
        ConfigError: one is not known.
    """
    for name in wanted:
        if name not in known:
            raise ConfigError(f"no set is called {name!r}", remedy=f"there are: {', '.join(known)}")
    return list(wanted) or list(known)


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    method: str
    trial: str
    scores: tuple[Score, ...]


class FinishedTrials:
    """Scores of finished trials in a file, a line each, so that an interrupted run can go on.

    A line that was cut off, and what stands behind it, is measured again.

    Raises:
        StorageError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[tuple[str, str], tuple[Score, ...]] = {}
        lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
        whole = 0
        for line in lines:
            try:
                # A line without its end may be the beginning of a longer one.
                entry = _Entry.model_validate_json(line if line.endswith(b"\n") else b"")
            except ValidationError:
                break
            self._entries[entry.method, entry.trial] = entry.scores
            whole += 1
        if whole < len(lines):
            write_atomically(path, b"".join(lines[:whole]))

    @classmethod
    def of_run(cls, name: str, digest: str, settings: Mapping[str, object]) -> FinishedTrials:
        """Those of an earlier run of the same evaluation, on the same data, with the same settings."""
        key = json.dumps([name, digest, settings], sort_keys=True)
        run = hashlib.sha256(key.encode()).hexdigest()[:16]
        return cls(locations().cache / "evals" / f"{name}-{run}.jsonl")

    def __len__(self) -> int:
        """Scores that are kept."""
        return sum(len(scores) for scores in self._entries.values())

    def get(self, method: str, trial: str) -> tuple[Score, ...] | None:
        """The scores of that trial; None if it is not finished."""
        return self._entries.get((method, trial))

    def add(self, method: str, trial: str, scores: Sequence[Score]) -> None:
        """Keep the scores of a trial."""
        entry = _Entry(method=method, trial=trial, scores=tuple(scores))
        make_private(self._path.parent)
        with storage_errors(self._path), self._path.open("ab") as file:
            file.write(entry.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._entries[method, trial] = entry.scores

    def forget(self) -> None:
        """Remove the file: the run is complete, or is to begin anew."""
        with storage_errors(self._path):
            self._path.unlink(missing_ok=True)
        self._entries.clear()


async def run_trials(
    evaluation: Evaluation, methods: Sequence[str], finished: FinishedTrials, bench: Bench
) -> list[Score]:
    """The scores of all trials with each method; ``finished`` ones are not measured again.

    One method's models are in memory at a time.

    Raises:
        ModelError: a method's model is not here or cannot be used.
        ReadingError: a method cannot read this.
        StorageError: scores cannot be kept.
        Cancelled: the bench's ``cancel`` was set meanwhile; what is finished is kept.
    """
    scores = list(evaluation.references)
    for name in methods:
        method: ReadingMethod | None = None
        done = 0
        for trial in evaluation.trials:
            bench.cancel.check()
            measured: Sequence[Score] | None = finished.get(name, trial.key)
            if measured is None:
                method = method or await open_method(name, bench)
                measured = await trial.measure(method, cancel=bench.cancel, progress=bench.progress)
                finished.add(name, trial.key, measured)
            scores += measured
            done += len(measured)
            bench.progress(f"{evaluation.name}, {name}", done, evaluation.questions, "questions")
    return scores


@dataclass(frozen=True, slots=True)
class Questions(Generic[M, Q]):
    """Questions with their keys, and how a method that answers them is opened by its name."""

    open: Callable[[str], AbstractAsyncContextManager[M]]
    keyed: Sequence[tuple[str, Q]]


async def answer_all(
    name: str,
    groups: Sequence[Questions[M, Q]],
    methods: Sequence[str],
    finished: FinishedTrials,
    ask: Callable[[str, M, Q], Awaitable[tuple[Score, A]]],
    *,
    tell: Callable[[Score, A], None],
    unit: str,
    cancel: Cancellation,
    progress: Progress,
) -> list[Score]:
    """The scores of all questions with each method; ``finished`` ones are not asked again.

    A method is opened for one group at a time, and only where there is something to ask. ``tell``
    is told of each answer once its score is kept; ``unit`` is what progress counts.

    Raises:
        StorageError: scores cannot be kept.
        Cancelled: ``cancel`` was set; what is finished is kept.
        LeadlineError: as opening a method and ``ask`` raise it.
    """
    scores: list[Score] = []
    total = sum(len(group.keyed) for group in groups)
    for method_name in methods:
        done = 0
        for group in groups:
            known = {key: finished.get(method_name, key) for key, _ in group.keyed}
            if not all(known.values()):
                async with group.open(method_name) as method:
                    for place, (key, question) in enumerate(group.keyed, start=done):
                        progress(f"{name}, {method_name}", place, total, unit)
                        cancel.check()
                        if not known[key]:
                            score, answer = await ask(method_name, method, question)
                            finished.add(method_name, key, [score])
                            known[key] = (score,)
                            tell(score, answer)
            done += len(group.keyed)
            progress(f"{name}, {method_name}", done, total, unit)
            scores += [score for key, _ in group.keyed for score in known[key] or ()]
    return scores
