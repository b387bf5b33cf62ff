"""Tables in Markdown text, each cell by its offsets into the text.

Extraction writes the tables of a page as rows between bars (:mod:`leadline.tools.extraction`);
models and Markdown files write them so too (GitHub Flavored Markdown, §4.10).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ..segmentation import Offsets

_BAR = re.compile(r"(?<!\\)\|")
_DELIMITER_CELL = re.compile(r"\s*:?-+:?\s*")
_FENCE = re.compile(r"\s*(```|~~~)")


@dataclass(frozen=True, slots=True)
class MarkdownTable:
    """Cells are trimmed; an empty one encloses nothing. Rows may be shorter or longer than others."""

    start: int
    end: int
    caption: str
    """The line right above; empty when there is none."""
    header: tuple[Offsets, ...]
    """Empty when no row is marked as the header."""
    rows: tuple[tuple[Offsets, ...], ...]


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    text: str

    @property
    def is_row(self) -> bool:
        return self.text.lstrip().startswith("|")

    @property
    def has_bar(self) -> bool:
        return bool(_BAR.search(self.text))

    @property
    def is_delimiter(self) -> bool:
        bare = self.text.strip().strip("|")
        return "-" in bare and all(_DELIMITER_CELL.fullmatch(cell) for cell in bare.split("|"))


def markdown_tables(text: str) -> list[MarkdownTable]:
    """The tables of ``text`` in order; fenced code is left aside. Linear in time."""
    lines = list(_lines(text))
    tables: list[MarkdownTable] = []
    at, fence = 0, ""
    while at < len(lines):
        if mark := _FENCE.match(lines[at].text):
            fence = mark[1] if not fence else "" if mark[1] == fence else fence
        elif not fence and (length := _table_length(lines, at)):
            caption = lines[at - 1].text.strip() if at else ""
            tables.append(_table(lines[at : at + length], caption))
            at += length
            continue
        at += 1
    return tables


def cell_text(text: str, cell: Offsets) -> str:
    """What a cell says: the bars in it without their backslashes."""
    return text[cell[0] : cell[1]].replace("\\|", "|")


def escaped(text: str) -> str:
    """``text`` as a cell has it: :func:`cell_text` takes the backslashes off again."""
    return text.replace("|", "\\|")


def markdown_row(cells: Iterable[str]) -> str:
    """The line of a row; a bar in a cell has to be escaped before."""
    return f"| {' | '.join(cells)} |"


def delimiter_row(columns: int) -> str:
    """The line between a header and the rows below it."""
    return markdown_row(["---"] * columns)


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for line in text.split("\n"):
        yield _Line(start, start + len(line), line)
        start += len(line) + 1


def _table_length(lines: list[_Line], first: int) -> int:
    """How many lines the table that begins at ``first`` has; 0 when none does."""
    headed = (
        first + 1 < len(lines)
        and lines[first].has_bar
        and not lines[first].is_delimiter
        and lines[first + 1].is_delimiter
    )
    if not headed and not lines[first].is_row:
        return 0
    end = first + 2 if headed else first + 1
    while end < len(lines) and (lines[end].is_row or (headed and lines[end].has_bar)):
        end += 1
    return end - first


def _table(lines: list[_Line], caption: str) -> MarkdownTable:
    headed = len(lines) > 1 and lines[1].is_delimiter and not lines[0].is_delimiter
    body = [line for line in lines[2 if headed else 0 :] if not line.is_delimiter]
    return MarkdownTable(
        start=lines[0].start,
        end=lines[-1].end,
        caption=caption,
        header=_cells(lines[0]) if headed else (),
        rows=tuple(_cells(line) for line in body),
    )


def _cells(line: _Line) -> tuple[Offsets, ...]:
    content = line.text.rstrip()
    at = len(content) - len(content.lstrip())
    bars = [match.start() for match in _BAR.finditer(content)]
    if bars and bars[0] == at:
        at, bars = at + 1, bars[1:]
    if not bars or bars[-1] != len(content) - 1:
        bars.append(len(content))
    cells = []
    for bar in bars:
        part = content[at:bar]
        start = line.start + at + len(part) - len(part.lstrip())
        cells.append((start, max(start, line.start + at + len(part.rstrip()))))
        at = bar + 1
    return tuple(cells)
