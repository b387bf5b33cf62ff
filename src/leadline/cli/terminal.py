"""The only module that writes to stdout and stderr: results there, everything else here."""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import InputError
from ..progress import Progress, silent
from ..safe_text import safe_text
from ..storage import write_atomically

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import TaskID

_PLAIN_INTERVAL_SECONDS = 5.0


def write_result(text: str, output: Path | None = None) -> None:
    """Write a result to stdout, or the same bytes to ``output``.

    Raises:
        InputError: ``output`` is a folder.
        StorageError: ``output`` cannot be written.
    """
    data = (text if text.endswith("\n") else text + "\n").encode()
    if output is not None:
        write_file(output, data)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def write_file(output: Path, data: bytes) -> None:
    """Write a result's bytes to ``output``; raises as :func:`write_result` does."""
    if output.is_dir():
        raise InputError(f"{output} is a folder", remedy="name a file in it with -o")
    write_atomically(output.absolute(), data)


def write_json(value: object, output: Path | None = None) -> None:
    """Write ``value`` as indented JSON to stdout or to ``output``."""
    write_result(json.dumps(value, ensure_ascii=False, indent=2, default=str), output)


def write_jsonl(value: object) -> None:
    """Write ``value`` as one line of JSON to stdout at once."""
    write_result(json.dumps(value, ensure_ascii=False, default=str))


def note(message: str) -> None:
    """Tell the user something on stderr."""
    click.echo(click.style(safe_text(message), dim=True), err=True)


def warn(message: str) -> None:
    """Warn the user on stderr."""
    click.echo(click.style("warning: ", fg="yellow") + safe_text(message), err=True)


def stderr_console() -> Console:
    """A rich console on stderr; plain when it is no terminal or NO_COLOR is set."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def stdout_console() -> Console:
    """A rich console on stdout for tables meant for people."""
    from rich.console import Console

    return Console(highlight=False)


@contextlib.contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[Progress]:
    """A Progress drawn on stderr: bars in a terminal, a line now and then elsewhere."""
    if quiet:
        yield silent
        return
    if not sys.stderr.isatty():
        yield _PlainProgress()
        return
    from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[amount]}"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=stderr_console(), transient=True) as bars:
        yield _BarProgress(bars)


@contextlib.contextmanager
def undisturbed(progress: Progress) -> Iterator[None]:
    """Nothing of ``progress`` is drawn inside, so that a person can type."""
    bars = progress.bars if isinstance(progress, _BarProgress) else None
    if bars is not None:
        bars.stop()
    try:
        yield
    finally:
        if bars is not None:
            bars.start()


class _BarProgress:
    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __call__(self, task: str, done: int, total: int | None, unit: str) -> None:
        with self._lock:
            if task not in self._tasks:
                self._tasks[task] = self.bars.add_task(task, total=total, amount="")
            self.bars.update(
                self._tasks[task], completed=done, total=total, amount=amount(done, total, unit)
            )


class _PlainProgress:
    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self._lock = threading.Lock()

    def __call__(self, task: str, done: int, total: int | None, unit: str) -> None:
        now = time.monotonic()
        with self._lock:
            finished = total is not None and done >= total
            if not finished and now - self._last.get(task, 0.0) < _PLAIN_INTERVAL_SECONDS:
                return
            self._last[task] = now
        if unit:
            note(f"{task}: {amount(done, total, unit)}")
        elif not finished:
            note(task)


def amount(done: int, total: int | None, unit: str) -> str:
    """ "3/10 pages", "12.0/98.4 MB"; nothing where nothing is counted."""
    if not unit:
        return ""
    if unit == "bytes":
        of = f"/{total / 1e6:,.1f}" if total else ""
        return f"{done / 1e6:,.1f}{of} MB"
    return f"{done:,}{f'/{total:,}' if total else ''} {unit}"
