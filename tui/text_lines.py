"""Long text broken into lines of a width, as offsets, so that spans of it can be found again."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len


@dataclass(frozen=True, slots=True)
class TextLines:
    """Lines of ``text`` at most ``width`` cells wide, broken between words where that is possible.

    Line ``n`` is the characters ``[starts[n], ends[n])``; line feeds and the space at a break are
    in no line.
    """

    text: str
    width: int
    starts: tuple[int, ...]
    ends: tuple[int, ...]

    @classmethod
    def of(cls, text: str, width: int) -> TextLines:
        breaks = list(_lines(text, max(width, 2)))
        return cls(text, width, tuple(s for s, _ in breaks), tuple(e for _, e in breaks))

    def __len__(self) -> int:
        return len(self.starts)

    def line_at(self, offset: int) -> int:
        """The number of the line in which the character at ``offset`` stands."""
        return max(0, bisect.bisect_right(self.starts, offset) - 1)


def _lines(text: str, width: int) -> Iterator[tuple[int, int]]:
    start = 0
    for paragraph in text.split("\n"):
        yield from _wrapped(paragraph, start, width)
        start += len(paragraph) + 1


def _wrapped(paragraph: str, offset: int, width: int) -> Iterator[tuple[int, int]]:
    narrow = paragraph.isascii()
    start = 0
    while True:
        rest = len(paragraph) - start
        if rest <= width and (narrow or cell_len(paragraph[start:]) <= width):
            yield offset + start, offset + len(paragraph)
            return
        end = start + width if narrow else start + _fitting(paragraph, start, width)
        space = paragraph.rfind(" ", start + 1, end + 1)
        if space > start:
            yield offset + start, offset + space
            start = space + 1
        else:
            yield offset + start, offset + end
            start = end


def _fitting(paragraph: str, start: int, width: int) -> int:
    """How many characters from ``start`` fit; one at least."""
    cells = 0
    for count, character in enumerate(paragraph[start : start + width]):
        cells += cell_len(character)
        if cells > width:
            return max(count, 1)
    return min(width, len(paragraph) - start)
