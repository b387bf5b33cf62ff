"""PDF to text by PDFium, with the offset at which each sheet starts."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise

import pypdfium2
from pypdfium2 import raw as pdfium

from ...errors import ExtractionError
from .dates import plausible
from .document import Extracted, language_of, normalised, one_line
from .pdf_layout import Line, lines_of
from .pdf_tables import LEAST_ROWS, tables_among

_PDFIUM = threading.Lock()
"""PDFium must not be called from two threads at once."""

_HYPHENS = str.maketrans("\x02\ufffe", "--")
"""For PDFium's marks where it joined a word that a line end had parted."""
_Unit = tuple[str, list[int]]
_AHEAD = 20
"""Lines to look through for the next that both of PDFium's ways of writing a sheet share."""


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
            text = _with_tables(text_page.get_text_bounded(), text_page)
        finally:
            text_page.close()
            page.close()
    except pypdfium2.PdfiumError as error:
        raise _broken(f"{name}, sheet {number + 1}") from error
    return normalised(text)


def _with_tables(text: str, text_page: pypdfium2.PdfTextPage) -> str:
    """``text``, its tables as rows between bars; the words outside of them stay as they are."""
    # A lone line feed is a character of the sheet's text: PDFium ends lines with two characters.
    written = [line.replace("\n", " ") for line in _readable(text).split("\r\n")]
    if len(written) < LEAST_ROWS:
        return "\n".join(written)
    lines = lines_of(text_page)
    units = _units(written, lines)
    unit_of = {place: number for number, (_, places) in enumerate(units) for place in places}
    parts: list[str] = []
    at = unit = 0
    for taken, table in tables_among(lines):
        numbers = [unit_of.get(place, -1) for place in taken]
        if -1 in numbers or any(below - above > 1 for above, below in pairwise(numbers)):
            continue  # parts of it lie off the sheet
        parts += _between(units, lines, (unit, numbers[0]), (at, taken.start))
        parts += ["", table, ""]
        at, unit = taken.stop, numbers[-1]
    parts += _between(units, lines, (unit, len(units) - 1), (at, len(lines)))
    return "\n".join(parts)


def _between(
    units: Sequence[_Unit], lines: Sequence[Line], numbers: tuple[int, int], span: tuple[int, int]
) -> Iterator[str]:
    """What the units from ``numbers[0]`` to ``numbers[1]`` say, as far as it is in ``span``."""
    for text, places in units[numbers[0] : numbers[1] + 1]:
        inside = [place for place in places if span[0] <= place < span[1]]
        if len(inside) == len(places):
            yield text
        else:
            yield from (_readable(lines[place].text) for place in inside)


def _units(written: Sequence[str], lines: Sequence[Line]) -> list[_Unit]:
    """What is ``written``, and the places in ``lines``, which have the same order, of each.

    Lines off the sheet are not written. PDFium writes cells on one level as one line or as several.
    """
    of_line: dict[int, list[int]] = {}
    for place, line in enumerate(lines):
        of_line.setdefault(line.number, []).append(place)
    ahead = [
        ("".join(_squeezed(lines[place].text) for place in places), places)
        for places in of_line.values()
    ]
    units: list[_Unit] = []
    at = 0
    for text in written:
        wanted = _squeezed(text)
        near = range(at, min(at + _AHEAD, len(ahead))) if wanted else ()
        ends = ((first, _end_of(wanted, ahead, first)) for first in near)
        first, end = next((found for found in ends if found[1]), (0, 0))
        places = [place for _, of in ahead[first:end] for place in of]
        if end - first == 1 and len(places) > 1:  # it runs over several rows
            text = "\n".join(_readable(lines[place].text) for place in places)
        units.append((text, places))
        at = end or at
    return units


def _end_of(wanted: str, ahead: Sequence[tuple[str, list[int]]], first: int) -> int:
    """Behind which of ``ahead`` all of ``wanted`` is said, from ``first`` on; 0 if it is not."""
    at, said = first, 0
    while said < len(wanted) and at < len(ahead) and wanted.startswith(ahead[at][0], said):
        said += len(ahead[at][0])
        at += 1
    return at if said == len(wanted) else 0


def _readable(text: str) -> str:
    return text.translate(_HYPHENS)


def _squeezed(line: str) -> str:
    return "".join(_readable(line).split())


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
