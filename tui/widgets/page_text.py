"""The text of a page, its quote marked, its words shaded by what the reader looked at."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from ...safe_text import safe_text
from ..text_lines import TextLines

SHADES = 4


class Shaded(NamedTuple):
    """Characters ``[start, end)`` and how strongly they are shaded, from 1 to SHADES."""

    start: int
    end: int
    shade: int


class PageText(ScrollView, can_focus=True):
    """Draws only the lines in view, so that a book opens as fast as a note."""

    # Lines are broken once, for a width that does not change when the bar appears.
    DEFAULT_CSS = "PageText { scrollbar-gutter: stable; }"
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "page-text--quote",
        *(f"page-text--shade-{shade}" for shade in range(1, SHADES + 1)),
    }

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._text = ""
        self._lines = TextLines.of("", 1)
        self._quote: tuple[int, int] | None = None
        self._shaded: Sequence[Shaded] = ()

    def show(self, text: str, quote: tuple[int, int] | None) -> None:
        """Show ``text`` with the characters of ``quote`` marked and in view."""
        self._text = safe_text(text).replace("\t", " ")
        self._quote, self._shaded = quote, ()
        if not self.outer_size:
            # Its first layout breaks the lines. To draw now would take the event away that tells
            # of it: Textual would look for the region, and take it for laid out.
            return
        self._break_lines()
        # How far it can be scrolled is known once the text is laid out.
        self.call_after_refresh(self.scroll_to_quote)

    def shade(self, shaded: Sequence[Shaded]) -> None:
        """Shade words, given in the order of the text; none takes the shading away."""
        self._shaded = shaded
        self.refresh()

    def scroll_to_quote(self) -> None:
        line = self._lines.line_at(self._quote[0]) if self._quote else 0
        self.scroll_to(y=max(0, line - self._text_size.height // 3), animate=False, force=True)

    def on_resize(self) -> None:
        top = self._lines.starts[min(self.scroll_offset.y, len(self._lines) - 1)]
        self._break_lines()
        if self._quote is None:
            self.scroll_to(y=self._lines.line_at(top), animate=False)
        else:
            self.call_after_refresh(self.scroll_to_quote)

    @property
    def _text_size(self) -> Size:
        """Cells for text."""
        # Not from Textual's regions, which may not be asked before a layout either.
        taken = self.styles.gutter + self.scrollbar_gutter
        return self.outer_size - (taken.width, taken.height)

    def _break_lines(self) -> None:
        width = self._text_size.width
        self._lines = TextLines.of(self._text, width)
        self.virtual_size = Size(width, len(self._lines))
        self.refresh()

    def render_line(self, y: int) -> Strip:
        number = y + self.scroll_offset.y
        width = self.size.width
        if number >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        start, end = self._lines.starts[number], self._lines.ends[number]
        marks = self._marks(start, end)
        segments = []
        at = start
        for mark_start, mark_end, name in marks:
            if mark_start > at:
                segments.append(Segment(self._text[at:mark_start], self.rich_style))
            style = self.get_component_rich_style(name)  # over the background, as far as it shows
            segments.append(Segment(self._text[mark_start:mark_end], style))
            at = mark_end
        if at < end:
            segments.append(Segment(self._text[at:end], self.rich_style))
        return Strip(segments).adjust_cell_length(width, self.rich_style)

    def _marks(self, start: int, end: int) -> list[tuple[int, int, str]]:
        """What is marked in ``[start, end)``, in order and without overlap."""
        if self._shaded:
            first = bisect.bisect_right(self._shaded, start, key=lambda word: word.end)
            found = []
            for word in self._shaded[first:]:
                if word.start >= end:
                    break
                span = (max(word.start, start), min(word.end, end))
                found.append((*span, f"page-text--shade-{word.shade}"))
            return found
        if self._quote is None:
            return []
        quote = max(self._quote[0], start), min(self._quote[1], end)
        return [(*quote, "page-text--quote")] if quote[0] < quote[1] else []
