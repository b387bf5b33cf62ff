"""A report in the forms that other programmes take."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from markdown_it import MarkdownIt

from ..extras import import_extra
from .tables.rendering import harmless, rendered

if TYPE_CHECKING:
    from .report import Report

CLAIM_COLUMNS = ("claim", "verdict", "url", "title", "quote", "page_id", "start", "end")
"""Columns of a report's claims: a row for each citation, one without for a claim that has none."""


def html_fragment(report: Report) -> str:
    """The report's Markdown as HTML for a notebook, without a page around it.

    Markup of strangers is shown, never followed.
    """
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    return str(markdown.render(report.markdown))


def csv_text(report: Report) -> str:
    """The table where there is one; otherwise the claims, as :data:`CLAIM_COLUMNS` has them."""
    if report.table is not None:
        return rendered(report.table, "csv").decode()
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(CLAIM_COLUMNS)
    for row in _claim_rows(report):
        writer.writerow([harmless(value) if isinstance(value, str) else value for value in row])
    return text.getvalue()


def data_frame(report: Report) -> Any:
    """What :func:`csv_text` writes, as a ``pandas.DataFrame``; missing cells are NA.

    Raises:
        MissingExtra: pandas is not installed.
    """
    pandas = import_extra("pandas", extra="pandas", purpose="a data frame")
    if report.table is None:
        return pandas.DataFrame(_claim_rows(report), columns=list(CLAIM_COLUMNS))
    names = report.table.table_schema.names
    rows = [
        [pandas.NA if row[name].missing else row[name].value for name in names]
        for row in report.table.rows
    ]
    return pandas.DataFrame(rows, columns=list(names))


def _claim_rows(report: Report) -> list[tuple[str | int | None, ...]]:
    rows: list[tuple[str | int | None, ...]] = []
    for claim in report.claims:
        if not claim.citations:
            rows.append((claim.text, claim.verdict, *[None] * (len(CLAIM_COLUMNS) - 2)))
        for c in claim.citations:
            rows.append(
                (claim.text, claim.verdict, c.url, c.title, c.quote, c.page_id, c.start, c.end)
            )
    return rows
