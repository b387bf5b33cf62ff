"""Tables on a PDF's sheet, told by how words stand under one another; no ruling is needed.

Financial statements are set with few lines or none, so columns are found as in Nurminen's method
(Tampere 2013, §5: text edges), but from cells: what overlaps from row to row is a column, and what
overlaps two columns that stand side by side in some row spans them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ..markdown_tables import delimiter_row, escaped, markdown_row
from .pdf_layout import Cell, Line

LEAST_ROWS = 3
_MOST_COLUMNS = 60
_MOST_ROWS = 400
_LONELY = 6
"""More lines of one cell in a row end a table."""
_STACKED = 24
"""More lines of one cell above the first row are no names of columns."""
_STACK_HEIGHT = 8.0
"""Of a line's height: what the names of columns take up at most."""
_FAR = 3.0
"""Of a line's height: lines further apart belong to different tables."""
_STRAY_GAP = 4.0
"""Of a line's height: as far from its column a cell may stand that overlaps no other of it."""
_OFF_MIDDLE = 1.5
"""Of a line's height."""
_LONG_WORDS = 14
_PROSE_WORDS = 6
_FIGURE = re.compile(
    r"(?:US)?[$€£¥₹]?\s?[(<+−–-]{0,2}\s?[$€£¥₹]?\s?\d[\d.,]*\)?\s?(?:%|x|bps|pts?)?\)?(?:\s?\(\w\))?"
    r"|[$€£¥₹]?\s?[—–−-]+\s?%?|[nN]/?[aAmM]\.?|\*+"
)
_MARKER = re.compile(r"\W|o|\(?\w{1,4}\)|\w{1,2}\.|\d+(?:\.\d+)*\.?")
_DATED = re.compile(r"(?:^|\W)(?:18|19|20)\d\d\W*$|\b[Ee]nded\b")
_YEAR = re.compile(r"(?:18|19|20)\d\d\W?")


@dataclass(slots=True)
class _Column:
    left: float
    right: float
    rows: int
    """Those that have a cell in it, as bits."""


@dataclass(frozen=True, slots=True)
class _Row:
    cells: tuple[Cell, ...]
    bottom: float
    top: float
    lines: tuple[int, int]
    """The first line, and the one behind the last."""


def tables_among(lines: Sequence[Line]) -> Iterator[tuple[range, str]]:
    """Each table among ``lines``: the lines that it takes up, and the rows in Markdown."""
    rows = _rows(lines)
    at = 0
    while at < len(rows):
        end = _block_end(rows, at)
        if end == at:
            at += 1
            continue
        before, table = _table(rows[at:end])
        if table:
            yield range(rows[at + before].lines[0], rows[end - 1].lines[1]), table
        at = end


def _rows(lines: Sequence[Line]) -> list[_Row]:
    """Lines on one level, one right of the other, are one row."""
    rows: list[_Row] = []
    for place, line in enumerate(lines):
        row = _Row(line.cells, line.bottom, line.top, (place, place + 1))
        if rows and line.cells and rows[-1].cells and _continues(rows[-1], line):
            before = rows.pop()
            row = _Row(
                before.cells + line.cells,
                min(before.bottom, line.bottom),
                max(before.top, line.top),
                (before.lines[0], place + 1),
            )
        rows.append(row)
    return rows


def _continues(row: _Row, line: Line) -> bool:
    level = min(row.top, line.top) - max(row.bottom, line.bottom)
    return (
        level > 0.6 * min(row.top - row.bottom, line.height)
        and line.cells[0].left > row.cells[-1].right
    )


def _block_end(rows: Sequence[_Row], start: int) -> int:
    """The end of the rows that may be one table from ``start`` on; ``start`` where none is."""
    end, lonely, broad, heading = start, 0, 0, True
    for place in range(start, min(len(rows), start + _MOST_ROWS)):
        row = rows[place]
        if not row.cells or (place > start and _apart(rows[place - 1], row, heading=heading)):
            break
        if len(row.cells) > 1:
            amounts = any(_is_amount(cell.text) for cell in row.cells[1:])
            if not (heading or amounts) and any(map(_ends_table, row.cells)):
                break
            end, lonely, broad, heading = place + 1, 0, broad + 1, heading and not amounts
            continue
        flush = row.cells[0].left < rows[start].cells[0].left + row.top - row.bottom
        if heading and broad >= LEAST_ROWS and flush:
            break  # a table without amounts has ended
        lonely += 1
        words = len(row.cells[0].text.split())
        if words > _LONG_WORDS or (words > _PROSE_WORDS and row.cells[0].text[-1] == "."):
            break
        if lonely > (_STACKED if heading else _LONELY):
            break
    return end if broad >= LEAST_ROWS else start


def _ends_table(cell: Cell) -> bool:
    """Whether ``cell``, in a row without amounts, names the next table's columns or is a note."""
    return bool(_DATED.search(cell.text)) or len(cell.text.split()) > _LONG_WORDS


def _apart(above: _Row, below: _Row, *, heading: bool) -> bool:
    """Whether two rows that follow one another stand too far apart to be of one table.

    The names of columns may be written one column after the other, each from its top.
    """
    height = max(above.top - above.bottom, below.top - below.bottom)
    down = above.bottom - below.top
    if heading and down < 0 and below.cells[0].left > above.cells[0].left:
        return down < -_STACK_HEIGHT * height
    return not -0.5 * height < down < _FAR * height


def _table(rows: Sequence[_Row]) -> tuple[int, str]:
    """How many of ``rows`` stand before the table, and it in Markdown; empty where none is."""
    columns = _columns(rows)
    if len(columns) < 2:
        return 0, ""
    broad = next(place for place, row in enumerate(rows) if len(row.cells) > 1)
    titles = [place for place in range(broad) if not _begins(rows[place], columns)]
    first = titles[-1] + 1 if titles else 0
    rows = rows[first:]
    grid = [_placed(row, columns) for row in rows]
    used = [place for place in range(len(columns)) if any(row[place] for row in grid)]
    columns, grid = [columns[i] for i in used], [[row[i] for i in used] for row in grid]
    if not _is_table(grid):
        return 0, ""
    head = _header_length(grid)
    header = [_merged_header(rows[:head], columns)] if head else []
    body = _joined_rows([[" ".join(cell) for cell in row] for row in grid[head:]])
    written = [markdown_row(map(escaped, row)) for row in header + body]
    if head:
        written.insert(1, delimiter_row(len(columns)))
    return first, "\n".join(written)


def _begins(row: _Row, columns: Sequence[_Column]) -> bool:
    """Whether a lone cell names columns: what stands above all of a table is its title."""
    [cell] = row.cells
    if cell.overlaps(columns[0].left, columns[0].right):
        return False
    middle = _middle(cell)
    left, first, last = columns[0].left, columns[1].left, columns[-1].right
    over = [column for column in columns if cell.overlaps(column.left, column.right)]
    if len(over) == 1:
        first, last = over[0].left, over[0].right
    return abs(middle - (first + last) / 2) < abs(middle - (left + columns[-1].right) / 2)


def _columns(rows: Sequence[_Row]) -> list[_Column]:
    """Narrow cells first: they make the columns, and wide ones are measured against them."""
    cells = [(cell, place) for place, row in enumerate(rows) for cell in row.cells]
    cells.sort(key=lambda item: item[0].right - item[0].left)
    columns: list[_Column] = []
    for cell, place in cells:
        if len(rows[place].cells) < 2:
            continue
        hit = [column for column in columns if cell.overlaps(column.left, column.right)]
        if _side_by_side(hit):
            continue  # it spans columns
        merged = _Column(cell.left, cell.right, 1 << place)
        for column in hit:
            merged.left = min(merged.left, column.left)
            merged.right = max(merged.right, column.right)
            merged.rows |= column.rows
            columns.remove(column)
        columns.append(merged)
        if len(columns) > _MOST_COLUMNS:
            return []
    columns.sort(key=lambda column: column.left)
    height = max(row.top - row.bottom for row in rows)
    return _without_strays(columns, height)


def _side_by_side(columns: Sequence[_Column]) -> bool:
    """Whether some row has cells in two of ``columns``."""
    seen = 0
    for column in columns:
        if seen & column.rows:
            return True
        seen |= column.rows
    return False


def _without_strays(columns: Sequence[_Column], height: float) -> list[_Column]:
    """Columns that share no row are one where they stand close: its cells are not set flush."""
    kept = list(columns[:2])
    for column in columns[2:]:
        before = kept[-1]
        stray = min(before.rows.bit_count(), column.rows.bit_count()) < LEAST_ROWS
        reach = _STRAY_GAP * height if stray else height
        if column.left - before.right < reach and not before.rows & column.rows:
            kept[-1] = _Column(before.left, column.right, before.rows | column.rows)
        else:
            kept.append(column)
    return kept


def _placed(row: _Row, columns: Sequence[_Column]) -> list[list[str]]:
    """By column, the cells of ``row`` in it; one that spans several stands in the first."""
    placed: list[list[str]] = [[] for _ in columns]
    for cell in row.cells:
        placed[_covered(cell, columns)[0]].append(cell.text)
    return placed


def _covered(cell: Cell, columns: Sequence[_Column]) -> list[int]:
    """The columns that ``cell`` overlaps; the nearest where it overlaps none."""
    over = [i for i, column in enumerate(columns) if cell.overlaps(column.left, column.right)]
    return over or [
        min(
            range(len(columns)),
            key=lambda i: abs(_middle(cell) - (columns[i].left + columns[i].right) / 2),
        )
    ]


def _middle(cell: Cell) -> float:
    return (cell.left + cell.right) / 2


def _is_table(grid: Sequence[Sequence[Sequence[str]]]) -> bool:
    full = [row for row in grid if sum(map(bool, row)) > 1]
    if len(full) < LEAST_ROWS:
        return False
    others = [" ".join(cell) for row in full for cell in row[1:] if cell]
    if sum(1 for cell in others if _FIGURE.fullmatch(cell)) >= 0.4 * len(others):
        return True
    if len(full[0]) == 2 and 2 * sum(1 for row in full if _is_marker(row[0])) > len(full):
        return False  # a list
    by_column = list(zip(*full, strict=True))
    filled = [[cell for cell in column if cell] for column in by_column]
    words = [sum(len(" ".join(c).split()) for c in cells) / max(len(cells), 1) for cells in filled]
    crowded = any(len(cell) > 1 for row in full for cell in row)
    regular = all(len(cells) >= 0.6 * len(full) for cells in filled)
    return regular and not crowded and sum(1 for mean in words if mean > _PROSE_WORDS) < 2


def _is_marker(cell: Sequence[str]) -> bool:
    return not cell or bool(_MARKER.fullmatch(cell[0]))


def _header_length(grid: Sequence[Sequence[Sequence[str]]]) -> int:
    """How many rows stand above the first with a name and figures."""
    for place, row in enumerate(grid):
        texts = [" ".join(cell) for cell in row]
        if texts[0] and any(map(_is_amount, texts[1:])):
            above = [at for at in range(place) if any(grid[at][1:])]
            return above[-1] + 1 if above else 0
    return 1


def _merged_header(rows: Sequence[_Row], columns: Sequence[_Column]) -> list[str]:
    """One header from several lines. What spans columns is said in each: they are read singly."""
    parts: list[list[str]] = [[] for _ in columns]
    stacked = any(below.top > above.top for above, below in pairwise(rows))
    for row in rows:
        over_each = [_covered(cell, columns) for cell in row.cells]
        if not stacked:
            over_each = _shared_out(row, over_each, columns)
        for cell, over in zip(row.cells, over_each, strict=True):
            for column in over:
                parts[column].append(cell.text)
    return [" ".join(texts) for texts in parts]


def _shared_out(row: _Row, over: list[list[int]], columns: Sequence[_Column]) -> list[list[int]]:
    """For each cell of a header's line the columns that it names, where it stands ``over`` some.

    A short name in the middle above several columns need not reach over all of them: where the
    names can share out the columns evenly, each in the middle of its own, they do.
    """
    named = [place for place, columns_of in enumerate(over) if columns_of != [0]]
    each = (len(columns) - 1) // max(len(named), 1)
    if each < 2 or each * len(named) != len(columns) - 1:
        return over
    shared = list(over)
    for number, place in enumerate(named):
        first, last = 1 + number * each, (number + 1) * each
        middle = (columns[first].left + columns[last].right) / 2
        if abs(_middle(row.cells[place]) - middle) > _OFF_MIDDLE * (row.top - row.bottom):
            return over
        shared[place] = [*range(first, last + 1)]
    return shared


def _joined_rows(body: Sequence[list[str]]) -> list[list[str]]:
    """Rows whose first cell was broken over two lines, as one."""
    joined: list[list[str]] = []
    open_label = False
    for row in body:
        bare = not any(row[1:])
        continued = joined and row[0][:1].islower()
        if continued and (open_label or bare):
            before = joined[-1]
            joined[-1] = [f"{before[0]} {row[0]}", *(row[1:] if open_label else before[1:])]
            open_label = open_label and bare
            continue
        joined.append(row)
        open_label = bare and bool(row[0]) and not row[0].endswith(":")
    return joined


def _is_amount(text: str) -> bool:
    return bool(_FIGURE.fullmatch(text)) and not _YEAR.fullmatch(text)
