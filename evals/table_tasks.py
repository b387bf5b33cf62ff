"""Tasks in WideSearch's form, made from real pages whose tables are known from a second source.

``wikitables`` (WikiTableQuestions: whole Wikipedia pages, and a table of each as CSV) gives
single-page tasks, which ask for a page's table, and many-page tasks, which put the medal tables of
several events together. A folder of SQLite's documentation gives the list of its pragmas, with the
gold from SQLite itself.
"""

from __future__ import annotations

import csv
import html
import io
import json
import random
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from ..errors import ConfigError
from ..storage import write_atomically
from .data_files import DataRecord, read_data_file, read_data_text, read_json
from .widesearch.tasks import GOLD_FOLDER, TASKS_FILE, norm_column

PAGES_FOLDER = "pages"
_EVENTS_A_TASK = 3
_ROWS = range(5, 41)
_WIDTH = range(3, 8)
_MEDALS = ("Rank", "Nation", "Gold", "Silver", "Bronze", "Total")
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")
_PLAIN_NAME = re.compile(r"[A-Za-z][\w ./()%-]{1,40}")
_SUMS = ("total", "totals")


@dataclass(frozen=True, slots=True)
class TableTask:
    """A query, its gold table, and the pages that answer it."""

    instance_id: str
    set: str
    """``single-page``, ``many-page`` or ``pragmas``."""
    query: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    pages: tuple[Path, ...]

    @property
    def gold_csv(self) -> str:
        text = io.StringIO(newline="")
        csv.writer(text).writerows([self.columns, *self.rows])
        return text.getvalue()

    @property
    def record(self) -> dict[str, object]:
        """The task as a line of WideSearch's file."""
        required = [norm_column(name) for name in self.columns]
        numeric = dict(zip(required, _numeric_columns(self.rows), strict=True))
        evaluation = {
            "unique_columns": [norm_column(name) for name in self.keys],
            "required": required,
            "eval_pipeline": {
                name: _NUMBER_RULE if numeric[name] else _TEXT_RULE for name in required
            },
        }
        return {
            "instance_id": self.instance_id,
            "query": self.query,
            "evaluation": json.dumps(evaluation),
            "language": "en",
        }


class _PageRecord(DataRecord):
    title: str


@dataclass(frozen=True, slots=True)
class _Source:
    """A table of a page, by its second source."""

    title: str
    page: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


_TEXT_RULE = {"preprocess": ["norm_str"], "metric": ["exact_match"]}
_NUMBER_RULE = {"preprocess": ["extract_number"], "metric": ["number_near"], "criterion": 0.0}


def wikitable_tasks(data: Path, *, seed: int = 0) -> Iterator[TableTask]:
    """Single-page and many-page tasks in turn, in an order that ``seed`` fixes.

    Raises:
        ConfigError: ``data`` is not laid out as wikitables.
    """
    chance = random.Random(seed)
    files = sorted((data / "csv").glob("*-csv/*.csv"))
    if not files:
        raise ConfigError(f"{data} holds no csv/*-csv/*.csv", remedy="give the wikitables folder")
    chance.shuffle(files)
    medals: list[_Source] = []
    number = 0
    for path in files:
        source = _source(data, path)
        if source is None:
            continue
        if source.header == _MEDALS:
            medals.append(source)
            if len(medals) == _EVENTS_A_TASK:
                number += 1
                yield _many_pages(f"many-{number:03}", medals)
                medals = []
        elif task := _single_page(f"single-{path.parent.name[:3]}-{path.stem}", source):
            yield task


def chosen_tasks(data: Path, *, limit: int, seed: int = 0) -> list[TableTask]:
    """``limit`` tasks, half of them single-page and half many-page as far as there are."""
    singles: list[TableTask] = []
    many: list[TableTask] = []
    half = (limit + 1) // 2
    for task in wikitable_tasks(data, seed=seed):
        wanted = singles if task.set == "single-page" else many
        if len(wanted) < half:
            wanted.append(task)
        if len(singles) == half and len(many) == half:
            break
    return [task for pair in zip(singles, many, strict=False) for task in pair][:limit]


def pragma_task(documentation: Path) -> TableTask:
    """The task of listing SQLite's pragmas; the gold is what this SQLite says of itself.

    Raises:
        ConfigError: the folder has no ``pragma.html``.
    """
    page = documentation / "pragma.html"
    if not page.is_file():
        raise ConfigError(f"{documentation} has no pragma.html", remedy="give SQLite's docs")
    with sqlite3.connect(":memory:") as connection:
        found = connection.execute("SELECT name FROM pragma_pragma_list ORDER BY name").fetchall()
    return TableTask(
        instance_id="pragmas",
        set="pragmas",
        query="List all PRAGMA statements that SQLite has, by name. Column names: Pragma",
        columns=("Pragma",),
        keys=("Pragma",),
        rows=tuple((str(name),) for (name,) in found),
        pages=(page,),
    )


def write_tasks(
    tasks: Sequence[TableTask], folder: Path, *, distractors: Sequence[Path] = ()
) -> Path:
    """Write tasks, gold tables and pages to ``folder``, laid out as WideSearch; returns it.

    ``distractors`` are further pages, which a search must tell from the right ones.

    Raises:
        StorageError: the disk refused.
    """
    lines = [json.dumps(task.record, ensure_ascii=False) for task in tasks]
    write_atomically(folder / TASKS_FILE, "\n".join(lines) + "\n")
    for task in tasks:
        write_atomically(folder / GOLD_FOLDER / f"{task.instance_id}.csv", task.gold_csv)
    pages = {page for task in tasks for page in task.pages} | set(distractors)
    for page in sorted(pages):
        target = folder / PAGES_FOLDER / f"{page.parent.name}-{page.name}"
        write_atomically(target, _titled(page))
    return folder


def distractors_of(data: Path, count: int, *, seed: int = 0) -> list[Path]:
    """``count`` pages of ``data`` by chance."""
    pages = sorted((data / "page").glob("*-page/*.html"))
    return random.Random(seed).sample(pages, min(count, len(pages)))


def _titled(page: Path) -> bytes:
    """The page with its title, which wikitables keeps beside it: it has the article's body alone."""
    body = read_data_file(page)
    sidecar = page.with_suffix(".json")
    if not sidecar.is_file():
        return body
    title = html.escape(read_json(sidecar, TypeAdapter(_PageRecord)).title)
    head = f'<html><head><meta charset="utf-8"><title>{title}</title></head><body><h1>{title}</h1>'
    return head.encode() + body + b"</body></html>"


def _source(data: Path, path: Path) -> _Source | None:
    """The table in ``path`` with its page; None if it cannot serve as gold."""
    page = data / "page" / path.parent.name.replace("-csv", "-page") / f"{path.stem}.html"
    if not page.is_file():
        return None
    text = read_data_text(path)
    lines = list(csv.reader(text.splitlines(), escapechar="\\", doublequote=False))
    rows = [tuple(row) for row in lines[1:] if len(row) == len(lines[0])]
    if not lines or len(rows) not in _ROWS or len(rows) != len(lines) - 1 or "\\n" in text:
        return None
    title = read_json(page.with_suffix(".json"), TypeAdapter(_PageRecord)).title
    return _Source(title, page, tuple(lines[0]), tuple(rows))


def _single_page(instance_id: str, source: _Source) -> TableTask | None:
    """None for a table whose columns or keys are not plain."""
    header = source.header
    names = {norm_column(name) for name in header}
    if len(header) not in _WIDTH or len(names) != len(header):
        return None
    if not all(_PLAIN_NAME.fullmatch(name) for name in header):
        return None
    rows = tuple(row for row in source.rows if row[0].strip().lower() not in _SUMS)
    keys = [norm_column(row[0]) for row in rows]
    if len(set(keys)) != len(keys) or not all(cell.strip() for row in rows for cell in row):
        return None
    return TableTask(
        instance_id=instance_id,
        set="single-page",
        query=(
            f"Give the whole table of the Wikipedia page “{source.title}” that has the columns "
            f"below, all its rows. Column names: {', '.join(header)}"
        ),
        columns=header,
        keys=header[:1],
        rows=rows,
        pages=(source.page,),
    )


def _many_pages(instance_id: str, sources: Sequence[_Source]) -> TableTask:
    columns = ("Event", *_MEDALS[1:])
    return TableTask(
        instance_id=instance_id,
        set="many-page",
        query=(
            "Put the medal tables of these events into one table, all their nations: "
            f"{'; '.join(source.title for source in sources)}. Event is the name of the event as "
            f"given here. Column names: {', '.join(columns)}"
        ),
        columns=columns,
        keys=("Event", "Nation"),
        rows=tuple(
            (source.title, *row[1:])
            for source in sources
            for row in source.rows
            if not {row[0].strip().lower(), row[1].strip().lower()} & set(_SUMS)
        ),
        pages=tuple(source.page for source in sources),
    )


def _numeric_columns(rows: Sequence[Sequence[str]]) -> list[bool]:
    return [
        all(_NUMBER.fullmatch(cell.strip()) for cell in column)
        for column in zip(*rows, strict=True)
    ]
