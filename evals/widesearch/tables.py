"""The table in a response, and the gold table: plain cells under normalised names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ...tools.markdown_tables import MarkdownTable, cell_text, markdown_tables
from .tasks import norm_column

_FENCED = re.compile(
    r"^[ \t]*```+[ \t]*(\w*)[^\n]*\n(.*?)(?:^[ \t]*```|\Z)", re.DOTALL | re.MULTILINE
)
_LINE_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Table:
    """Every row has one cell for each column."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def column(self, name: str) -> list[str]:
        place = self.columns.index(name)
        return [row[place] for row in self.rows]


def gold_table(csv_text: str) -> Table:
    """A gold table from CSV text. Raises ValueError: it has no header."""
    rows = list(csv.reader(io.StringIO(csv_text.removeprefix("\ufeff"), newline="")))
    if not rows:
        raise ValueError("the gold table is empty")
    return _table(rows[0], [row for row in rows[1:] if any(cell.strip() for cell in row)])


def response_table(response: str, required: Sequence[str]) -> Table | None:
    """The table that ``response`` gives; None when it gives none.

    Tables are looked for inside fences of any kind and outside, as Markdown or, in a fence marked
    ``csv`` or ``tsv``, as such. The one with the most of the ``required`` columns counts; those
    with the same columns are put together, later ones first: a second table goes on with the
    first, or corrects it.
    """
    found = [table for table in _tables(response) if table.rows]
    if not found:
        return None
    wanted = set(required)
    best = max(found, key=lambda table: len(wanted & set(table.columns)))
    same = [table for table in found if table.columns == best.columns]
    return Table(best.columns, tuple(row for table in reversed(same) for row in table.rows))


def _tables(response: str) -> list[Table]:
    tables: list[Table] = []
    for language, content in _FENCED.findall(response):
        if language.lower() in ("csv", "tsv"):
            delimiter = "," if language.lower() == "csv" else "\t"
            lines = list(csv.reader(io.StringIO(content, newline=""), delimiter=delimiter))
            rows = [line for line in lines if any(line)]
            if rows:
                tables.append(_table(rows[0], rows[1:]))
        tables += [_of_markdown(content, table) for table in markdown_tables(content)]
    tables += [_of_markdown(response, table) for table in markdown_tables(response)]
    return tables


def _of_markdown(text: str, table: MarkdownTable) -> Table:
    rows = [[_cell(cell_text(text, cell)) for cell in row] for row in table.rows]
    header = [_cell(cell_text(text, cell)) for cell in table.header]
    return _table(header, rows) if header else _table(rows[0], rows[1:]) if rows else Table((), ())


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Short rows are filled up with empty cells, cells beyond the header are left out."""
    columns = tuple(norm_column(name.replace("*", "")) for name in header)
    width = len(columns)
    return Table(
        columns,
        tuple(
            tuple(cell.strip() for cell in [*row[:width], *[""] * (width - len(row))])
            for row in rows
        ),
    )


def _cell(text: str) -> str:
    return " ".join(_LINE_BREAK.sub(" ", text).split())
