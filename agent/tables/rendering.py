"""A table as Markdown, CSV, JSON, HTML or a spreadsheet.

The Markdown is safe for scorers: one fence marked ``markdown`` and no other, the columns' names to
the letter, no bar inside a cell, a mark where a cell is missing, each key once.
"""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Mapping
from typing import Literal

from ...evidence import Citation
from ...extras import import_extra
from ...tools.markdown_tables import delimiter_row, markdown_row
from ...tools.quarantine import safe_markdown
from .values import MISSING, shown
from .wide_table import Cell, WideTable

TableFormat = Literal["md", "csv", "json", "html", "xlsx"]
FORMATS: tuple[TableFormat, ...] = ("md", "csv", "json", "html", "xlsx")

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
_SHOWN_NOTES = 30


def markdown_table(table: WideTable) -> str:
    """The table as Markdown has it."""
    names = table.table_schema.names
    lines = [markdown_row(names), delimiter_row(len(names))]
    for row in table.rows:
        lines.append(markdown_row(shown(row[name].value) or MISSING for name in names))
    return "\n".join(lines) + "\n"


def markdown_report(table: WideTable, *, remarks: tuple[str, ...] = ()) -> str:
    """The fenced table, and below it what is missing, what is in doubt, and the sources."""
    parts = [f"```markdown\n{markdown_table(table)}```", *(f"*{remark}*" for remark in remarks)]
    if lines := missing_cells(table):
        parts.append("## Missing\n\n" + _listed(lines))
    if lines := conflicts(table):
        parts.append("## Conflicts\n\n" + _listed(lines))
    pages = _pages(table)
    if pages:
        listed = [
            f"{n}. {_plain(title or url)} — <{url.replace('<', '%3C').replace('>', '%3E')}>"
            for n, (url, title) in enumerate(pages.items(), start=1)
        ]
        parts.append("## Sources\n\n" + "\n".join(listed))
    return "\n\n".join(parts) + "\n"


def table_remarks(table: WideTable, *, out_of_budget: bool) -> tuple[str, ...]:
    """What a report says beside its table."""
    remarks = []
    if not table.rows:
        remarks.append("No row was found in what was searched.")
    if out_of_budget:
        remarks.append("The budget ran out before the table was finished.")
    if table.excluded_rows:
        remarks.append(f"{table.excluded_rows} rows that were found do not meet the constraints.")
    return tuple(remarks)


def missing_cells(table: WideTable) -> list[str]:
    """For each column with missing cells, whose they are."""
    lines = []
    for name in table.table_schema.names:
        rows = [_named(table, row) for row in table.rows if row[name].missing]
        if rows:
            shown_rows = "; ".join(rows[:_SHOWN_NOTES]) + (
                "; …" if len(rows) > _SHOWN_NOTES else ""
            )
            lines.append(f"{name} ({len(rows)} of {len(table.rows)}): {shown_rows}")
    return lines


def conflicts(table: WideTable) -> list[str]:
    """For each cell on which pages disagree, what they say."""
    lines = []
    for row in table.rows:
        for name in table.table_schema.names:
            cell = row[name]
            for other in cell.alternatives:
                lines.append(
                    f"{_named(table, row)}, {name}: {cell.value} ({cell.citations[0].title}), "
                    f"but {other.value} ({other.citation.title})"
                )
    return lines


def rendered(table: WideTable, form: TableFormat) -> bytes:
    """The file that ``form`` names.

    Raises:
        ConfigError: a spreadsheet was asked for and openpyxl is not installed.
    """
    if form == "md":
        return markdown_table(table).encode()
    if form == "csv":
        return _csv(table).encode("utf-8")
    if form == "json":
        return (json.dumps(as_json(table), ensure_ascii=False, indent=2) + "\n").encode()
    if form == "html":
        return _html(table).encode()
    return _xlsx(table)


def as_json(table: WideTable) -> dict[str, object]:
    """Columns, keys, rows; every cell with its citations and what speaks against it."""
    return {
        "columns": [column.model_dump() for column in table.table_schema.columns],
        "keys": list(table.table_schema.keys),
        "rows": [
            {name: _cell_as_json(row[name]) for name in table.table_schema.names}
            for row in table.rows
        ],
        "excluded_rows": table.excluded_rows,
    }


def _cell_as_json(cell: Cell) -> dict[str, object] | None:
    return None if cell.missing else cell.model_dump(mode="json")


def _listed(lines: list[str]) -> str:
    more = [f"and {len(lines) - _SHOWN_NOTES} more"] if len(lines) > _SHOWN_NOTES else []
    return "\n".join(f"- {_plain(line)}" for line in [*lines[:_SHOWN_NOTES], *more])


def _plain(text: str) -> str:
    """Page text as one line of Markdown in which nothing is a table, a fence, a link or markup."""
    return safe_markdown(shown(text), []).replace("|", "/").replace("`", "'").strip()


def _named(table: WideTable, row: Mapping[str, Cell]) -> str:
    return ", ".join(row[name].value for name in table.table_schema.keys)


def _pages(table: WideTable) -> dict[str, str]:
    citations = [c for row in table.rows for cell in row.values() for c in cell.citations]
    return {citation.url: citation.title for citation in citations}


def _csv(table: WideTable) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(table.table_schema.names)
    for row in table.rows:
        writer.writerow([harmless(row[name].value) for name in table.table_schema.names])
    return text.getvalue()


def harmless(value: str) -> str:
    """``value`` so that a spreadsheet takes it for text, never for a formula of a stranger's."""
    is_number = value.replace(",", "").replace(".", "", 1).lstrip("+-").isdigit()
    return f"'{value}" if value.startswith(_FORMULA_STARTS) and not is_number else value


def html_table(table: WideTable) -> str:
    """The table alone, as a piece of a page; a cell's sources are in its title."""
    names = table.table_schema.names
    head = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in names)
    body = "\n".join(
        "<tr>" + "".join(_html_cell(row[name]) for name in names) + "</tr>" for row in table.rows
    )
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"


def _html(table: WideTable) -> str:
    return f"""<!doctype html>
<html><head><meta charset="utf-8"><title>{html.escape(table.table_schema.subject)}</title>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<style>
body {{ font: 14px/1.5 system-ui, sans-serif; margin: 2rem; }}
table {{ border-collapse: collapse; }}
th, td {{ border: 1px solid #ccc; padding: .3em .6em; text-align: left; vertical-align: top; }}
td.missing {{ color: #999; }}
td.conflict {{ background: #fff3cd; }}
td:target {{ outline: 2px solid #06c; }}
</style></head><body>
<h1>{html.escape(table.table_schema.subject)}</h1>
{html_table(table)}
</body></html>
"""


def _html_cell(cell: Cell) -> str:
    if cell.missing:
        return f'<td class="missing">{MISSING}</td>'
    said = [_said(cell.citations[0])]
    said += [f"but {_said(other.citation)}" for other in cell.alternatives]
    kind = ' class="conflict"' if cell.alternatives else ""
    title = html.escape("\n".join(said), quote=True)
    return f'<td{kind} title="{title}">{html.escape(cell.value)}</td>'


def _said(citation: Citation) -> str:
    return f"“{citation.quote}” {citation.title} {citation.url}"


def _xlsx(table: WideTable) -> bytes:
    import_extra("openpyxl", extra="xlsx", purpose="a spreadsheet", otherwise="write .csv")
    from openpyxl import Workbook
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.comments import Comment

    book = Workbook()
    sheet = book.active
    names = table.table_schema.names
    types = {column.name: column.type for column in table.table_schema.columns}
    sheet.append(list(names))
    for number, row in enumerate(table.rows, start=2):
        for place, name in enumerate(names, start=1):
            cell = row[name]
            if cell.missing:
                continue
            target = sheet.cell(number, place)
            target.value = ILLEGAL_CHARACTERS_RE.sub("", cell.value)
            # As text, whatever it looks like: a formula of a stranger's must not run.
            target.data_type = "s"
            if types[name] == "number" and _is_plain_number(cell):
                target.value = float(cell.normalised)
            said = ILLEGAL_CHARACTERS_RE.sub("", _said(cell.citations[0]))
            target.comment = Comment(said[:1000], "Leadline")
    sheet.freeze_panes = "A2"
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def _is_plain_number(cell: Cell) -> bool:
    """Whether a cell holds a number and nothing else that would be lost."""
    try:
        return float(cell.value.replace(",", "")) == float(cell.normalised)
    except ValueError:
        return False
