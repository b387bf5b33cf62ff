"""Rows as they are found, and the table they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from ...evidence import Citation
from .schema import TableSchema
from .values import key_part, normalised, satisfies


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CellReading(_Value):
    """What one place in a page says of a cell."""

    value: str
    """As it is shown: the quote without marks and bars."""
    citation: Citation


class FoundRow(_Value):
    """A row, or a part of one, as one page has it; the keys are among the cells."""

    cells: Mapping[str, CellReading]


class Cell(_Value):
    """A cell of the table. Without citations it is missing: nothing was found, nothing invented."""

    value: str = ""
    normalised: str = ""
    """A plain number, an ISO date, a host, or folded text: by the column's type."""
    citations: tuple[Citation, ...] = ()
    """The places that say so."""
    alternatives: tuple[CellReading, ...] = ()
    """What other places say instead."""

    @property
    def missing(self) -> bool:
        return not self.citations


class WideTable(_Value):
    """The table: rows in the order in which they were found, a cell for every column."""

    table_schema: TableSchema
    rows: tuple[Mapping[str, Cell], ...]
    excluded_rows: int = 0
    """Rows that were found and do not meet the constraints."""

    @property
    def filled(self) -> int:
        return sum(not cell.missing for row in self.rows for cell in row.values())

    @property
    def cells(self) -> int:
        return len(self.rows) * len(self.table_schema.columns)

    @property
    def conflicts(self) -> int:
        return sum(bool(cell.alternatives) for row in self.rows for cell in row.values())


Key = tuple[str, ...]


@dataclass(slots=True)
class TableBuilder:
    """Puts rows together by their normalised keys. Adding the same row twice changes nothing."""

    schema: TableSchema
    _rows: dict[Key, dict[str, list[CellReading]]] = field(default_factory=dict)

    def add(self, row: FoundRow) -> bool:
        """Take a row in; False if it lacks a key or says nothing new."""
        key = self.key_of(row)
        if key is None:
            return False
        readings = self._rows.setdefault(key, {})
        news = False
        for name, reading in row.cells.items():
            known = readings.setdefault(name, [])
            if reading not in known:
                known.append(reading)
                news = True
        return news

    def add_all(self, rows: Iterable[FoundRow]) -> int:
        """How many of ``rows`` said something new."""
        return sum(self.add(row) for row in rows)

    def key_of(self, row: FoundRow) -> Key | None:
        """The normalised key of a row; None if a part of it is missing."""
        parts = [row.cells[name].value for name in self.schema.keys if name in row.cells]
        if len(parts) < len(self.schema.keys):
            return None
        return tuple(key_part(part) for part in parts)

    def row_with(self, key: Key) -> Mapping[str, Cell]:
        """The cells of the row with that key; KeyError if there is none."""
        return self._cells(self._rows[key])

    @property
    def keys(self) -> list[Key]:
        """Keys of the rows that meet the constraints, in the order in which they were found."""
        return [key for key, readings in self._rows.items() if self._belongs(readings)]

    @property
    def incomplete_keys(self) -> list[Key]:
        """Keys of the rows that have missing cells."""
        return [
            key for key, cells in self.cells_by_key().items() if any(cell.missing for cell in cells)
        ]

    def cells_by_key(self) -> dict[Key, tuple[Cell, ...]]:
        """Every row that meets the constraints, its cells in the order of the columns."""
        return {
            key: tuple(self._cells(readings).values())
            for key, readings in self._rows.items()
            if self._belongs(readings)
        }

    def build(self) -> WideTable:
        """The table as it stands."""
        keys = self.keys
        return WideTable(
            table_schema=self.schema,
            rows=tuple(self._cells(self._rows[key]) for key in keys),
            excluded_rows=len(self._rows) - len(keys),
        )

    def _cells(self, readings: Mapping[str, list[CellReading]]) -> dict[str, Cell]:
        return {
            column.name: _settled(
                [(normalised(r.value, column.type), r) for r in readings.get(column.name, [])]
            )
            for column in self.schema.columns
        }

    def _belongs(self, readings: Mapping[str, list[CellReading]]) -> bool:
        types = {column.name: column.type for column in self.schema.columns}
        cells = self._cells(readings)
        return all(
            cells[constraint.column].missing
            or satisfies(cells[constraint.column].value, types[constraint.column], constraint)
            for constraint in self.schema.constraints
        )


def _settled(readings: list[tuple[str, CellReading]]) -> Cell:
    """The value that most pages give, the first found among equals; the rest as alternatives."""
    if not readings:
        return Cell()
    pages: dict[str, set[str]] = {}
    for norm, reading in readings:
        pages.setdefault(norm, set()).add(reading.citation.page_id)
    best = max(pages, key=lambda norm: len(pages[norm]))
    agreeing = [reading for norm, reading in readings if norm == best]
    others = {norm: reading for norm, reading in reversed(readings) if norm != best}
    return Cell(
        value=agreeing[0].value,
        normalised=best,
        citations=tuple(reading.citation for reading in agreeing),
        alternatives=tuple(reversed(others.values())),
    )
