"""Runs on disk: one folder each, with its question, its event log, its checkpoints, its report."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import InputError, RunError
from ..locations import make_private
from ..storage import open_lock, storage_errors, try_lock, write_atomically
from .events import Event, parse_event
from .report import Report
from .tables.schema import TableWishes

MAX_TITLE_CHARACTERS = 200
_PAGE_ID = re.compile(rb"[0-9a-f]{64}")
_DELETED = ".deleted-"


class RunRecord(BaseModel):
    """What was asked, and with what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str
    question: str
    started_at: datetime
    model: str
    reader: str
    sources: tuple[str, ...]
    table: TableWishes | None = None
    """What was said of the table, where the run is to end in one."""
    follows: str | None = None
    """The earlier run whose pages this one looks at first."""


class RunFolder:
    """The files of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints.sqlite"

    @property
    def record(self) -> RunRecord:
        """Raises RunError: the run's record is missing or damaged."""
        try:
            return RunRecord.model_validate_json((self.path / "run.json").read_bytes())
        except (OSError, ValidationError) as error:
            raise RunError(
                f"run {self.path.name} has no readable record", remedy=f"remove {self.path}"
            ) from error

    @property
    def title(self) -> str:
        """What a person calls the run: the question, until they call it otherwise."""
        try:
            return (self.path / "title.txt").read_text("utf-8")
        except FileNotFoundError:
            return self.record.question

    def rename(self, title: str) -> None:
        """Call the run ``title``; an empty one gives it the question's name again.

        Raises:
            InputError: the title is longer than MAX_TITLE_CHARACTERS.
            StorageError: the disk refused.
        """
        title = " ".join(title.split())
        if len(title) > MAX_TITLE_CHARACTERS:
            raise InputError(
                f"the title has {len(title):,} characters, {MAX_TITLE_CHARACTERS} are allowed",
                remedy="give a shorter one",
            )
        path = self.path / "title.txt"
        if title:
            write_atomically(path, title)
            return
        with storage_errors(path):
            path.unlink(missing_ok=True)

    @property
    def report(self) -> Report | None:
        """The report, once the run is finished; RunError if it is damaged."""
        try:
            return Report.model_validate_json((self.path / "report.json").read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            raise RunError(
                f"the report of run {self.path.name} is damaged", remedy="run the question again"
            ) from error

    def save_report(self, report: Report) -> None:
        write_atomically(self.path / "report.json", report.model_dump_json(indent=2))

    def events(self) -> Iterator[Event]:
        """The run's events in order; a last line cut off by a crash is left out.

        Raises:
            RunError: a line is damaged; the events before it were given.
        """
        path = self.path / "events.jsonl"
        if not path.exists():
            return
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if not line.endswith(b"\n"):
                    return
                try:
                    event = parse_event(line)
                except ValidationError as error:
                    raise RunError(
                        f"line {number} of {path} is damaged", remedy="run the question again"
                    ) from error
                yield event

    def open_log(self, subscriber: Callable[[Event], None]) -> EventLog:
        """The log to which this run's next events are appended; ``subscriber`` sees each.

        Raises:
            RunError: the run is under way, here or in another process.
            StorageError: the disk refused.
        """
        return EventLog(self.path / "events.jsonl", self.path.name, subscriber)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else goes on with the run, or deletes it, meanwhile.

        Raises:
            RunError: the run is under way, here or in another process.
        """
        descriptor = open_lock(self.path / "run.lock")
        try:
            if not try_lock(descriptor):
                raise RunError(
                    f"run {self.path.name} is under way", remedy="wait for its end, or stop it"
                )
            yield
        finally:
            os.close(descriptor)


class EventLog:
    """Numbers events, appends them to a file, hands them on. The run is its alone until it closes."""

    def __init__(self, path: Path, run_id: str, subscriber: Callable[[Event], None]) -> None:
        self._path, self._run_id, self._subscriber = path, run_id, subscriber
        with contextlib.ExitStack() as stack:
            stack.enter_context(RunFolder(path.parent).alone())
            with storage_errors(path):
                self._seq = _whole_lines(path)
                self._file: BinaryIO = stack.enter_context(path.open("ab"))
            self._held = stack.pop_all()

    def emit(self, event: Event) -> None:
        """Stamp, store and hand on ``event``. Raises StorageError: the disk refused."""
        stamped = event.model_copy(update={"run_id": self._run_id, "seq": self._seq})
        with storage_errors(self._path):
            self._file.write(stamped.model_dump_json().encode() + b"\n")
            self._file.flush()
        self._seq += 1
        self._subscriber(stamped)

    def close(self) -> None:
        self._held.close()


class RunStore:
    """All runs under one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(
        self,
        question: str,
        *,
        model: str,
        reader: str,
        sources: tuple[str, ...],
        table: TableWishes | None = None,
        follows: str | None = None,
    ) -> RunFolder:
        """A new, empty run. Raises StorageError: the folder cannot be written."""
        now = datetime.now(UTC)
        run_id = f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        folder = RunFolder(make_private(self._folder / run_id))
        record = RunRecord(
            run_id=run_id,
            question=question,
            started_at=now,
            model=model,
            reader=reader,
            sources=sources,
            table=table,
            follows=follows,
        )
        write_atomically(folder.path / "run.json", record.model_dump_json(indent=2))
        return folder

    def reserve(self, run_id: str) -> Path:
        """Where a run that comes from elsewhere is to be put. Raises RunError: it is here already."""
        folder = self._folder / run_id
        if folder.exists():
            raise RunError(f"run {run_id} is here already", remedy="see `leadline runs list`")
        return folder

    def page_ids(self) -> set[str]:
        """Every page that a run's log or report names.

        Whatever looks like the id of a page counts, so that a damaged file hides none.
        """
        found: set[str] = set()
        for path in self._paths():
            for name in ("events.jsonl", "report.json"):
                if (path / name).exists():
                    with storage_errors(path / name), (path / name).open("rb") as file:
                        for line in file:
                            found.update(id_.decode() for id_ in _PAGE_ID.findall(line))
        return found

    def get(self, run_id: str) -> RunFolder:
        """The run with this id, or the only one whose id starts or ends so.

        Raises:
            RunError: there is none, or there are several.
        """
        matches = [
            path
            for path in self._paths()
            if path.name.startswith(run_id) or path.name.endswith(run_id)
        ]
        if run_id == "last" and (paths := self._paths()):
            matches = paths[-1:]
        if not run_id or not matches:
            raise RunError(f"there is no run {run_id!r}", remedy="see `leadline runs list`")
        exact = [path for path in matches if path.name == run_id]
        if len(matches) > 1 and not exact:
            raise RunError(
                f"{run_id!r} fits {len(matches)} runs", remedy="give more of the run's id"
            )
        return RunFolder((exact or matches)[0])

    def all(self) -> list[RunFolder]:
        """All runs, oldest first."""
        return [RunFolder(path) for path in self._paths()]

    def search(self, text: str) -> list[RunFolder]:
        """Runs that have every word of ``text`` in their title, question or answer, oldest first.

        Words are found inside longer ones and in any case. Damaged runs are left out.
        """
        words = text.casefold().split()
        return [folder for folder in self.all() if _has_words(folder, words)]

    def delete(self, run_id: str) -> None:
        """Remove a run with its log, its checkpoints and its report; pages stay for other runs.

        Raises:
            RunError: there is no such run, or it is under way.
            StorageError: the disk refused.
        """
        path = self.get(run_id).path
        with storage_errors(path):
            with RunFolder(path).alone():
                # gone for everyone at once, whatever happens while its files are removed
                os.rename(path, self._folder / f"{_DELETED}{secrets.token_hex(8)}")
            for leftover in self._folder.glob(f"{_DELETED}*"):
                with contextlib.suppress(FileNotFoundError):
                    shutil.rmtree(leftover)

    def _paths(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        return sorted(
            path
            for path in self._folder.iterdir()
            if not path.name.startswith(".") and (path / "run.json").is_file()
        )


def _has_words(folder: RunFolder, words: list[str]) -> bool:
    try:
        report = folder.report
        texts = (folder.title, folder.record.question, report.markdown if report else "")
    except RunError:
        return False
    searched = "\n".join(texts).casefold()
    return all(word in searched for word in words)


def _whole_lines(path: Path) -> int:
    """Lines of the log so far; a last line cut off by a crash is removed first."""
    if not path.exists():
        return 0
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    if len(whole) != len(data):
        write_atomically(path, whole)
    return whole.count(b"\n")
