"""A run's events on disk: numbered, appended, and said once even where work begins again."""

from __future__ import annotations

import contextlib
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from ..storage import storage_errors, write_atomically
from .events import Event, parse_event

FINISHED_WORK = frozenset(
    [
        "plan.updated",
        "node.changed",
        "search.started",
        "search.finished",
        "page.recalled",
        "page.read",
        "reading.finished",
        "evidence.found",
        "claim.drafted",
        "claim.verified",
        "table.planned",
        "rows.found",
        "cells.filled",
        "warning",
    ]
)


class EventLog:
    """Numbers events, appends them to the file at ``path``, hands them to ``subscriber``.

    A resumed run takes up each piece of work at its last checkpoint, and says again what it said
    between that checkpoint and the stop. Such repeats are neither stored nor handed on, until the
    piece of work says its first new thing.

    Raises:
        StorageError: the disk refused.
    """

    def __init__(self, path: Path, run_id: str, subscriber: Callable[[Event], None]) -> None:
        self._path, self._run_id, self._subscriber = path, run_id, subscriber
        self._said: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._seq = 0
        self._on_close = contextlib.ExitStack()
        with storage_errors(path):
            for line in _whole_lines(path):
                event = parse_event(line)
                self._said[event.span_id][_content(event)] += 1
                self._seq += 1
            self._file: BinaryIO = path.open("ab")

    def emit(self, event: Event) -> None:
        """Stamp, store and hand on ``event``. Raises StorageError: the disk refused."""
        if self._is_repeat(event):
            return
        stamped = event.model_copy(update={"run_id": self._run_id, "seq": self._seq})
        with storage_errors(self._path):
            self._file.write(stamped.model_dump_json().encode() + b"\n")
            self._file.flush()
        self._seq += 1
        self._subscriber(stamped)

    def on_close(self, callback: Callable[[], None]) -> None:
        """Run ``callback`` once the file is closed."""
        self._on_close.callback(callback)

    def close(self) -> None:
        with self._on_close:
            self._file.close()

    def _is_repeat(self, event: Event) -> bool:
        said = self._said.get(event.span_id)
        if not said or event.kind not in FINISHED_WORK:
            return False
        content = _content(event)
        if not said[content]:
            del self._said[event.span_id]
            return False
        said[content] -= 1
        return True


def _content(event: Event) -> str:
    return event.model_dump_json(exclude={"run_id", "seq", "ts"})


def _whole_lines(path: Path) -> list[bytes]:
    """Lines of the log so far; a last line cut off by a crash is removed first."""
    with contextlib.suppress(FileNotFoundError):
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        if len(whole) != len(data):
            write_atomically(path, whole)
        return whole.splitlines()
    return []
