"""PDF to text by PDFium, with the offset at which each sheet starts."""

from __future__ import annotations

import re
import threading
from datetime import date

import pypdfium2
from pypdfium2 import raw as pdfium

from ...errors import ExtractionError
from .dates import plausible
from .document import Extracted, language_of, normalised, one_line

_PDFIUM = threading.Lock()
"""PDFium must not be called from two threads at once."""

_HYPHEN_AT_LINE_END = "\x02"
"""PDFium's mark where it joined a word that a line end had parted."""


def extract_pdf(data: bytes, *, name: str) -> Extracted:
    """The text layer of a PDF, sheets parted by blank lines.

    Raises:
        ExtractionError: encrypted, broken, or without a text layer.
    """
    with _PDFIUM:
        document = _open(data, name)
        try:
            title = one_line(document.get_metadata_value("Title"))
            published = _day(document.get_metadata_value("CreationDate"))
            names = one_line(document.get_metadata_value("Author")).split(";")
            sheets = [_sheet_text(document, number, name) for number in range(len(document))]
        finally:
            document.close()
    text, starts = _joined(sheets)
    if not text:
        raise ExtractionError(
            f"'{name}' has no text layer", remedy="run OCR on it first, e.g. ocrmypdf"
        )
    authors = tuple(dict.fromkeys(name.strip() for name in names if name.strip()))
    return Extracted(
        "application/pdf",
        title,
        text,
        language_of(text),
        starts,
        published=published,
        authors=authors,
    )


def _day(written: str) -> date | None:
    """The day of a PDF date, "D:20240131…" (ISO 32000-1 §7.9.4)."""
    found = re.match(r"(?:D:)?(\d{4})(\d{2})(\d{2})", written or "")
    try:
        return plausible(date(*map(int, found.groups()))) if found else None
    except ValueError:
        return None


def _open(data: bytes, name: str) -> pypdfium2.PdfDocument:
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if error.err_code in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY):
            raise ExtractionError(
                f"'{name}' is encrypted", remedy="remove its password first, e.g. qpdf --decrypt"
            ) from error
        raise _broken(name) from error


def _sheet_text(document: pypdfium2.PdfDocument, number: int, name: str) -> str:
    try:
        page = document[number]
        text_page = page.get_textpage()
        try:
            text: str = text_page.get_text_bounded()
        finally:
            text_page.close()
            page.close()
    except pypdfium2.PdfiumError as error:
        raise _broken(f"{name}, sheet {number + 1}") from error
    return normalised(text.replace(_HYPHEN_AT_LINE_END, "-"))


def _joined(sheets: list[str]) -> tuple[str, tuple[int, ...]]:
    """One text, and where in it each sheet starts; an empty sheet starts where the text ends."""
    parts: list[str] = []
    starts: list[int] = []
    length = 0
    for sheet in sheets:
        if sheet and parts:
            parts.append("\n\n")
            length += 2
        starts.append(length)
        if sheet:
            parts.append(sheet)
            length += len(sheet)
    return "".join(parts), tuple(starts)


def _broken(name: str) -> ExtractionError:
    return ExtractionError(
        f"'{name}' is not a whole PDF", remedy="get the file again, or repair it, e.g. qpdf"
    )
