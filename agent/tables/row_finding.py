"""Rows out of pages that were found, and the pages that a row with gaps needs.

A page's tables are asked first, its running text where no table serves.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...errors import OutputInvalid, PromptTooLong, SearchError
from ...evidence import Evidence, Page
from ..events import Warned
from ..reading import read_pages
from ..searching import find_pages
from ..toolbox import Toolbox
from . import page_tables
from .passage_rows import cells_in_passages, rows_in_passages
from .schema import TableSchema, bare_query
from .wide_table import FoundRow, Key, TableBuilder

TABLE_SPAN = "table"
"""Under what the events of a table's run stand."""
_PAGES_A_ROW = 3


@dataclass(frozen=True, slots=True)
class PageRows:
    """What pages have of a table."""

    schema: TableSchema
    """As the pages call for it."""
    by_page: list[tuple[Page, list[FoundRow]]]
    matched: int
    """Most wanted columns that a table had by their names, in these pages or before."""


async def rows_in_pages(
    pages: Sequence[Page],
    query: str,
    schema: TableSchema,
    box: Toolbox,
    *,
    widen: bool,
    matched: int,
) -> PageRows:
    """The rows of each of ``pages`` that has some.

    ``widen`` lets the first table add keys that tell its rows apart. A table that has less than
    half as many columns by name as another, in these pages or (``matched``) before, is of
    something else. Running text is asked where no table has half of the columns.

    Raises:
        Cancelled: the run was stopped, or its time is over.
    """
    selected = await _selected(pages, query, schema, box)
    counts = [page_tables.named_columns(table, schema) for table in selected]
    matched = max([matched, *counts])
    mapped = [
        (table, *await _mapped(table, query, schema, box))
        for table, count in zip(selected, counts, strict=True)
        if count * 2 >= matched
    ]
    by_page: list[tuple[Page, list[FoundRow]]] = []
    for table, places, constants in page_tables.widest_of_each_page(mapped):
        rows = page_tables.rows_of(table, places, constants)
        if rows and widen and not by_page:
            schema = page_tables.widened_keys(schema, rows)
        by_page.append((table.page, rows))
    in_tables = matched * 2 >= len(schema.names) or any(rows for _, rows in by_page)
    if pages and not in_tables:
        by_page = await _from_passages(pages, query, schema, box)
    return PageRows(schema, by_page, matched)


async def look_up(builder: TableBuilder, key: Key, box: Toolbox) -> FoundRow | None:
    """Search for a row's missing cells; None if nothing was found.

    Raises:
        Cancelled: the run was stopped, or its time is over.
    """
    row, schema = builder.row_with(key), builder.schema
    named = " ".join(row[name].value for name in schema.keys)
    missing = [name for name in schema.names if row[name].missing]
    question = f"{named} {' '.join(missing)}"
    try:
        pages = await find_pages(box, TABLE_SPAN, [question], limit=_PAGES_A_ROW)
        # What the row's own page leaves empty is empty there.
        own = {citation.page_id for cell in row.values() for citation in cell.citations}
        pages = [page for page in pages if page.page_id not in own]
        if not pages:
            return None
        evidence = await read_pages(box, TABLE_SPAN, question, pages)
        by_id = {page.page_id: page for page in pages}
        return await _cells(builder, key, evidence, by_id, box)
    except SearchError as error:
        box.emit(Warned(span_id=TABLE_SPAN, message=f"{named}: {error}"))
        return None


async def _cells(
    builder: TableBuilder,
    key: Key,
    evidence: Sequence[Evidence],
    pages: Mapping[str, Page],
    box: Toolbox,
) -> FoundRow | None:
    """What ``evidence`` has of a row's missing cells, where it speaks of that row."""
    row, schema = builder.row_with(key), builder.schema
    others = [
        [cell.value for name, cell in builder.row_with(other).items() if name in schema.keys]
        for other in builder.keys
        if other != key
    ]
    try:
        return await cells_in_passages(
            row, schema, evidence, pages, box.engine, others=others, cancel=box.deadline
        )
    except (OutputInvalid, PromptTooLong) as error:
        named = " ".join(row[name].value for name in schema.keys)
        box.emit(Warned(span_id=TABLE_SPAN, message=f"{named}: {error}"))
        return None


async def _selected(
    pages: Sequence[Page], query: str, schema: TableSchema, box: Toolbox
) -> list[page_tables.PageTable]:
    tables = page_tables.likely_tables(page_tables.tables_of(pages), query, schema)
    if not tables:
        return []
    named = page_tables.of_named_pages(tables, query, schema)
    try:
        chosen = await page_tables.select_tables(tables, query, box.engine, cancel=box.deadline)
        return [*named, *(table for table in chosen if table not in named)]
    except (OutputInvalid, PromptTooLong) as error:
        box.emit(Warned(span_id=TABLE_SPAN, message=f"{error}; the likeliest table is taken"))
        return named or tables[:1]


async def _mapped(
    table: page_tables.PageTable, query: str, schema: TableSchema, box: Toolbox
) -> tuple[dict[str, int], dict[str, str]]:
    try:
        return await page_tables.map_columns(table, query, schema, box.engine, cancel=box.deadline)
    except (OutputInvalid, PromptTooLong) as error:
        box.emit(Warned(span_id=TABLE_SPAN, message=str(error)))
        return page_tables.matched_columns(table.header, schema.names), {}


async def _from_passages(
    pages: Sequence[Page], query: str, schema: TableSchema, box: Toolbox
) -> list[tuple[Page, list[FoundRow]]]:
    question = f"{schema.subject} {' '.join(schema.names)}"
    evidence = await read_pages(box, TABLE_SPAN, question, pages)
    if not evidence:
        return []
    by_id = {page.page_id: page for page in pages}
    try:
        rows = await rows_in_passages(
            bare_query(query), schema, evidence, by_id, box.engine, cancel=box.deadline
        )
    except (OutputInvalid, PromptTooLong) as error:
        box.emit(Warned(span_id=TABLE_SPAN, message=str(error)))
        return []
    builder = TableBuilder(schema)
    builder.add_all(rows)
    # Of many rows at once the model mixes values up: what it lost is asked for row by row.
    incomplete = builder.incomplete_keys[: box.effort.filled_rows]
    filled = await asyncio.gather(
        *(_cells(builder, key, evidence, by_id, box) for key in incomplete)
    )
    rows += [row for row in filled if row is not None]
    grouped: dict[str, list[FoundRow]] = {}
    for row in rows:
        page_id = row.cells[schema.keys[0]].citation.page_id
        grouped.setdefault(page_id, []).append(row)
    return [(by_id[page_id], group) for page_id, group in grouped.items()]
