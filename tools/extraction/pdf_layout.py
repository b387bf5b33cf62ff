"""Where the words of a PDF's sheet stand: lines of cells, which wide gaps part.

PDFium's order of lines is kept. The boxes are those of the characters at the ends of words: to ask
for every character's would take three times as long.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import pypdfium2
from pypdfium2 import raw as pdfium

_MOST_CHARACTERS = 30_000
"""A sheet with more is left as PDFium writes it: no printed sheet has so many."""
_MOST_CELLS = 40
_GAP = 0.7
"""Of a line's height: a wider gap parts cells. Spaces of set type are 0.2 to 0.4 of it."""
_GAP_AT_SIGN = 0.2
"""The same between a figure and the next one's sign."""
_LINE_END = re.compile(r"\r\n?")
_WORD = re.compile(r"\S+")
_SIGN = re.compile(r"[$€£¥₹]|(?:US|C|A)\$|\(")
"""Stands at the left edge of a column, away from its figure."""
_FIGURE_END = re.compile(r"[\d)%—–−-]$")
_TAIL = re.compile(r"[)%]+|\)\s?%")


@dataclass(frozen=True, slots=True)
class Cell:
    """Words that no wide gap parts, and where they begin and end, in points."""

    text: str
    left: float
    right: float

    def overlaps(self, left: float, right: float) -> bool:
        return min(self.right, right) > max(self.left, left)


@dataclass(frozen=True, slots=True)
class Line:
    """A line as PDFium writes it; without cells where their places cannot be told."""

    text: str
    number: int
    """Of the line of PDFium's that it is, or is a part of where that runs over several rows."""
    cells: tuple[Cell, ...] = ()
    bottom: float = 0.0
    top: float = 0.0

    @property
    def height(self) -> float:
        return self.top - self.bottom


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    left: float
    right: float
    bottom: float
    top: float


def lines_of(text_page: pypdfium2.PdfTextPage) -> list[Line]:
    """The lines of a sheet in PDFium's order; none where it has too many characters."""
    count = text_page.count_chars()
    if not 0 < count <= _MOST_CHARACTERS:
        return []
    text = text_page.get_text_range()
    if len(text) != count:  # characters that PDFium adds or leaves out would shift the places
        return []
    lines, start = [], 0
    boxes = _Boxes(text_page)
    ends = [*(found.span() for found in _LINE_END.finditer(text)), (count, count)]
    for number, (end, next_start) in enumerate(ends):
        lines += _lines(text[start:end], start, number, boxes)
        start = next_start
    return lines


class _Boxes:
    """Boxes as wide as a character's advance and as high as its font."""

    def __init__(self, text_page: pypdfium2.PdfTextPage) -> None:
        self._page = text_page
        self._box = pdfium.FS_RECTF()

    def word(self, text: str, start: int) -> _Word | None:
        """None where it does not run from left to right."""
        box = self._box
        if not pdfium.FPDFText_GetLooseCharBox(self._page, start, box):
            return None
        left, bottom, top = box.left, box.bottom, box.top
        if not pdfium.FPDFText_GetLooseCharBox(self._page, start + len(text) - 1, box):
            return None
        bottom, top = min(bottom, box.bottom), max(top, box.top)
        if not (left < box.right and bottom < top and abs(top - box.top) < top - bottom):
            return None
        return _Word(text, left, box.right, bottom, top)


def _lines(written: str, start: int, number: int, boxes: _Boxes) -> list[Line]:
    rows: list[list[_Word]] = []
    for found in _WORD.finditer(written):
        if (word := boxes.word(found[0], start + found.start())) is None:
            return [Line(written, number)]
        if rows and word.top > rows[-1][-1].bottom:
            rows[-1].append(word)
        else:
            rows.append([word])
    if len(rows) == 1:
        return [_line(written, number, rows[0])]
    return [_line(" ".join(word.text for word in row), number, row) for row in rows]


def _line(written: str, number: int, words: Sequence[_Word]) -> Line:
    bottom, top = min(w.bottom for w in words), max(w.top for w in words)
    cells = _cells(words, max(w.top - w.bottom for w in words))
    return Line(written, number, cells if len(cells) <= _MOST_CELLS else (), bottom, top)


def _cells(words: Sequence[_Word], height: float) -> tuple[Cell, ...]:
    if any(right.left < left.left for left, right in pairwise(words)):
        return ()
    groups = [[words[0]]]
    for word in words[1:]:
        before = groups[-1]
        gap = word.left - before[-1].right
        next_figure = _SIGN.fullmatch(word.text) and _FIGURE_END.search(before[-1].text)
        belongs = (
            gap < (_GAP_AT_SIGN if next_figure else _GAP) * height
            or (len(before) == 1 and _SIGN.fullmatch(before[0].text))
            or _TAIL.fullmatch(word.text)
        )
        if belongs:
            before.append(word)
        else:
            groups.append([word])
    return tuple(_cell(group) for group in groups)


def _cell(words: Sequence[_Word]) -> Cell:
    text = words[0].text
    for before, word in pairwise(words):
        apart = not (_TAIL.fullmatch(word.text) or before.text == "(")
        text += f" {word.text}" if apart else word.text
    return Cell(text, words[0].left, words[-1].right)
