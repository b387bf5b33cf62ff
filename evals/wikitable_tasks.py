"""Tasks from WikiTableQuestions: whole Wikipedia pages, and a table of each as CSV.

Single-page tasks ask for a page's table. Many-page tasks put tables of one kind together, such as
the medal tables of several events or the results of several races.
"""

from __future__ import annotations

import csv
import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from lxml.html import HTMLParser, document_fromstring
from pydantic import TypeAdapter

from ..errors import ConfigError
from ..tools.extraction.html_walk import render
from ..tools.markdown_tables import cell_text, markdown_tables
from .data_files import read_data_file, read_data_text, read_json
from .table_tasks import PageRecord, TableTask
from .widesearch.tasks import norm_column

_PAGES_A_TASK = 3
_ROWS = range(5, 41)
_WIDTH = range(3, 8)
_PLAIN_NAME = re.compile(r"[A-Za-z][\w ./()%-]{1,40}")
_SUMS = ("total", "totals")


@dataclass(frozen=True, slots=True)
class _Join:
    """A kind of table that many pages have."""

    name: str
    wish: str
    """Opens the query, before the pages' titles."""
    label: str
    """The column that says which page a row is of."""
    columns: tuple[str, ...]
    """Those of the page that the task asks for; the first tells the rows of one page apart."""
    header: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return self.label, self.columns[0]


_MEDALS = ("Rank", "Nation", "Gold", "Silver", "Bronze", "Total")
_RACE = ("Pos", "No", "Driver", "{}", "Laps", "Time/Retired", "Grid", "Points")


def _race_join(team: str) -> _Join:
    return _Join(
        name=f"races-{team.lower()}",
        wish="Put the results of these races into one table, all their drivers",
        label="Race",
        columns=("Driver", "Pos", team, "Laps"),
        header=tuple(name.format(team) for name in _RACE),
    )


_JOINS = (
    _Join(
        name="medals",
        wish="Put the medal tables of these events into one table, all their nations",
        label="Event",
        columns=_MEDALS[1:],
        header=_MEDALS,
    ),
    _race_join("Constructor"),
    _race_join("Team"),
)


@dataclass(frozen=True, slots=True)
class _Source:
    """A table of a page, by its second source."""

    title: str
    page: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


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
    waiting: dict[str, list[_Source]] = defaultdict(list)
    number = 0
    for path in files:
        source = _source(data, path)
        if source is None:
            continue
        join = next((join for join in _JOINS if source.header == join.header), None)
        if join is None:
            task = _single_page(f"single-{path.parent.name[:3]}-{path.stem}", source)
            if task and _is_the_only_one(source):
                yield task
        elif _may_join(join, source) and _is_the_only_one(source):
            pages = waiting[join.name]
            pages.append(source)
            if len(pages) == _PAGES_A_TASK:
                number += 1
                yield _many_pages(f"many-{number:03}", join, pages)
                pages.clear()


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
    return [task for pair in zip_longest(singles, many) for task in pair if task][:limit]


def distractors_of(data: Path, count: int, *, seed: int = 0) -> list[Path]:
    """``count`` pages of ``data`` by chance."""
    pages = sorted((data / "page").glob("*-page/*.html"))
    return random.Random(seed).sample(pages, min(count, len(pages)))


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
    title = read_json(page.with_suffix(".json"), TypeAdapter(PageRecord)).title
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


def _is_the_only_one(source: _Source) -> bool:
    """Whether no second table of the page has these columns: else the query asks for both."""
    text = render(
        document_fromstring(read_data_file(source.page), parser=HTMLParser(encoding="utf-8"))
    )
    wanted = {norm_column(name) for name in source.header}
    headers = [{norm_column(cell_text(text, c)) for c in t.header} for t in markdown_tables(text)]
    return sum(wanted <= header for header in headers) <= 1


def _may_join(join: _Join, source: _Source) -> bool:
    """Whether each row has a key of its own, and a word in every column."""
    rows = _asked_rows(join, source)
    keys = {norm_column(row[0]) for row in rows}
    return len(keys) == len(rows) and all(cell.strip() for row in rows for cell in row)


def _asked_rows(join: _Join, source: _Source) -> list[tuple[str, ...]]:
    places = [source.header.index(name) for name in join.columns]
    return [
        tuple(row[place] for place in places)
        for row in source.rows
        if not {cell.strip().lower() for cell in row[:2]} & set(_SUMS)
    ]


def _many_pages(instance_id: str, join: _Join, sources: Sequence[_Source]) -> TableTask:
    columns = (join.label, *join.columns)
    return TableTask(
        instance_id=instance_id,
        set="many-page",
        query=(
            f"{join.wish}: {'; '.join(source.title for source in sources)}. {join.label} is the "
            f"name of the {join.label.lower()} as given here. Column names: {', '.join(columns)}"
        ),
        columns=columns,
        keys=join.keys,
        rows=tuple((source.title, *row) for source in sources for row in _asked_rows(join, source)),
        pages=tuple(source.page for source in sources),
    )
