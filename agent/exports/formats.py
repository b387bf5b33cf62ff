"""The file that a finished run becomes, by the ending of its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ...errors import InputError, RunError, StorageError
from ...evidence import Page
from ...storage import write_atomically
from ...tools.page_store import PageStore
from ..report import Report
from ..run_store import RunFolder
from ..tables.rendering import rendered
from .report_document import ReportDocument
from .report_html import report_html
from .report_pdf import report_pdf

ExportFormat = Literal["md", "html", "pdf", "json", "csv", "xlsx"]
FORMATS: tuple[ExportFormat, ...] = ("md", "html", "pdf", "json", "csv", "xlsx")


def format_of(path: Path) -> ExportFormat:
    """The format that a file's name asks for. Raises InputError: it asks for none of them."""
    ending = path.suffix.lower().removeprefix(".")
    for form in FORMATS:
        if form == ending:
            return form
    raise InputError(
        f"'{path.name}' has none of the endings of an export",
        remedy=f"end it in {', '.join(f'.{form}' for form in FORMATS)}",
    )


def finished_report(folder: RunFolder) -> Report:
    """The report of a run. Raises RunError: the run is unfinished, or its report is damaged."""
    report = folder.report
    if report is None:
        raise RunError(
            f"run {folder.path.name} is unfinished",
            remedy=f"go on with it: leadline runs resume {folder.path.name}",
        )
    return report


def exported(report: Report, form: ExportFormat, pages: PageStore | None = None) -> bytes:
    """The bytes of the file; quotes in HTML are shown in their surroundings if ``pages`` is given.

    Blocks.

    Raises:
        InputError: a spreadsheet or CSV was asked for and the report has no table.
        ConfigError: the library that writes the format, or a font, is missing.
    """
    if form == "md":
        return report.markdown.encode()
    if form == "json":
        value = report.model_dump(mode="json")
        return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()
    if form == "csv" or form == "xlsx":
        if report.table is None:
            raise InputError(
                f"run {report.run_id} has no table, which .{form} is for",
                remedy="write .md, .html, .pdf or .json",
            )
        return rendered(report.table, form)
    document = ReportDocument.of(report)
    if form == "pdf":
        return report_pdf(document)
    return report_html(document, _finder(pages)).encode()


def export_to(path: Path, report: Report, pages: PageStore | None = None) -> None:
    """Write the report to ``path`` in the format that its ending names. Blocks.

    Raises as :func:`exported` and :func:`format_of` do, and:
        InputError: ``path`` is a folder.
        StorageError: the disk refused; what was there is as it was.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder", remedy="name a file in it")
    write_atomically(path.absolute(), exported(report, format_of(path), pages))


def suggested_name(report: Report, form: ExportFormat) -> str:
    """A file name made of the question's first words."""
    words = "".join(c if c.isalnum() else " " for c in report.question.lower()).split()
    name = "-".join(words)[:60].strip("-") or report.run_id
    return f"{name}.{form}"


def _finder(pages: PageStore | None) -> Callable[[str], Page | None]:
    def find(page_id: str) -> Page | None:
        if pages is None:
            return None
        try:
            return pages.get(page_id) if page_id in pages else None
        except StorageError:  # a damaged page: the quote itself is in the report
            return None

    return find
