"""A table as it fills; a cell opens the words it rests on."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import DataTable

from ...agent.tables.values import MISSING
from ...agent.tables.wide_table import Cell
from ...safe_text import safe_line
from ..run_view import RunView

_CELL_CHARACTERS = 40

Key = tuple[str, ...]


class TableGrid(DataTable[Text]):
    """Rows are added and changed in place, so that the cursor stays where it is."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, zebra_stripes=True, cursor_type="cell")
        self._names: tuple[str, ...] = ()
        self._rows: dict[Key, tuple[Cell, ...]] = {}

    def update(self, view: RunView) -> None:
        if view.table is None:
            return
        rows = view.table.rows
        if view.table.schema.names != self._names or not rows.keys() >= self._rows.keys():
            self._begin(view.table.schema.names)
        for key, cells in rows.items():
            known = self._rows.get(key)
            if known is None:
                self.add_row(*map(_shown, cells), key=_key(key))
            elif known != cells:
                self._change(key, known, cells)
            self._rows[key] = cells

    def cell_at_cursor(self) -> tuple[Key, str, Cell] | None:
        """The row's key, the column and the cell under the cursor."""
        row, column = self.cursor_coordinate
        if not 0 <= row < len(self._rows):
            return None
        key = list(self._rows)[row]
        return key, self._names[column], self._rows[key][column]

    def _begin(self, names: tuple[str, ...]) -> None:
        self.clear(columns=True)
        self._names, self._rows = names, {}
        for name in names:
            self.add_column(safe_line(name, _CELL_CHARACTERS), key=name)

    def _change(self, key: Key, known: tuple[Cell, ...], cells: tuple[Cell, ...]) -> None:
        for name, old, new in zip(self._names, known, cells, strict=True):
            if old != new:
                self.update_cell(_key(key), name, _shown(new), update_width=True)


def _key(key: Key) -> str:
    return "\x1f".join(key)


def _shown(cell: Cell) -> Text:
    if cell.missing:
        return Text(MISSING, style="dim")
    doubt = " ≠" if cell.alternatives else ""
    return Text(f"{safe_line(cell.value, _CELL_CHARACTERS)}{doubt}")
