"""A list of rows to look at and to open, which may change while it is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from textual.content import Content
from textual.widget import Widget
from textual.widgets import OptionList
from textual.widgets.option_list import Option


def hanging(first: Content, text: Content, width: int, further: Content | None = None) -> Content:
    """``text`` behind ``first``, broken to ``width`` cells; ``further`` stands before later lines."""
    indent = further or Content(" " * first.cell_length)
    lines = text.wrap(max(width - first.cell_length, 8))
    starts = [first, *[indent] * (len(lines) - 1)]
    return Content("\n").join([start + line for start, line in zip(starts, lines, strict=True)])


@dataclass(frozen=True, slots=True)
class Row:
    """One row. Without an id there is nothing to open, but it can be scrolled to."""

    content: Content
    id: str | None = None


class RowList(OptionList, inherit_bindings=True):
    """Keeps the highlight and the scrolled place when its rows are drawn anew."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False, compact=True)
        self._shown: list[Row] = []

    @property
    def row_width(self) -> int:
        """Cells of a line of a row, 20 at least; before the list is laid out, those it will have.

        Textual's regions are not asked: that can take the event away which tells of a layout. So a
        list in a tab that was never in front goes by what it lies in, all of whose width it takes.
        """
        taken = self.scrollbar_gutter.width
        for widget in (self, *self.ancestors):
            if not isinstance(widget, Widget):
                break
            taken += widget.styles.gutter.width
            if widget.outer_size.width:
                return max(widget.outer_size.width - taken, 20)
        return 20

    @property
    def chosen_id(self) -> str | None:
        """The id of the highlighted row."""
        option = self.highlighted_option
        return option.id if option else None

    def show(self, rows: Sequence[Row]) -> None:
        """Draw ``rows``; those that are as before stay untouched."""
        if list(rows) == self._shown:
            return
        same_ids = [row.id for row in rows] == [row.id for row in self._shown]
        if same_ids:
            for index, (old, new) in enumerate(zip(self._shown, rows, strict=True)):
                if old != new:
                    self.replace_option_prompt_at_index(index, new.content)
        else:
            self._replace(rows)
        self._shown = list(rows)

    def _replace(self, rows: Sequence[Row]) -> None:
        index, chosen, scrolled = self.highlighted, self.chosen_id, self.scroll_offset.y
        ids = [row.id for row in rows]
        if chosen is not None and chosen in ids:
            index = ids.index(chosen)
        with self.prevent(OptionList.OptionHighlighted):
            self.set_options(Option(row.content, row.id) for row in rows)
            if index is not None and rows:
                self.highlighted = min(index, len(rows) - 1)
        self.scroll_to(y=scrolled, animate=False)

    def on_focus(self) -> None:
        if self.highlighted is None:
            self.action_first()
