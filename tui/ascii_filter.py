"""For terminals that show no UTF-8: every character as one that any terminal has."""

from __future__ import annotations

import sys
import unicodedata
from functools import lru_cache

from rich.cells import cell_len
from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

_SIGNS = {
    "○": "o",
    "◐": "*",
    "✓": "+",
    "✗": "x",
    "–": "-",
    "—": "-",
    "…": "~",
    "·": ".",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
    "≠": "!",
    "‖": "=",
    "▌": "|",
    "▐": "|",
    "•": "*",
    "→": ">",
    "←": "<",
}


def terminal_shows_unicode() -> bool:
    """Whether what is written to the terminal is encoded in a way that has every character."""
    stream = sys.__stderr__
    return stream is None or "utf" in (stream.encoding or "utf-8").lower()


class AsciiFilter(LineFilter):
    """Replaces what is not ASCII, cell by cell, so that nothing moves."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return [
            segment
            if segment.control or segment.text.isascii()
            else Segment(as_ascii(segment.text), segment.style)
            for segment in segments
        ]


@lru_cache(4096)
def as_ascii(text: str) -> str:
    """``text`` in ASCII, as many cells wide."""
    return "".join(character if character.isascii() else _sign(character) for character in text)


@lru_cache(4096)
def _sign(character: str) -> str:
    width = cell_len(character)
    if character in _SIGNS:
        return _SIGNS[character]
    name = unicodedata.name(character, "")
    if name.startswith("BOX DRAWINGS"):
        ways = ("VERTICAL" in name or "UP" in name or "DOWN" in name) + 2 * (
            "HORIZONTAL" in name or "LEFT" in name or "RIGHT" in name
        )
        return {1: "|", 2: "-", 3: "+"}.get(ways, "+")
    if "BLOCK" in name or "SHADE" in name:
        return "." if "LIGHT SHADE" in name else "#"
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain if len(plain) == width else "?" * width
