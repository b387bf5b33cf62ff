"""Head tables: which attention heads of a model find what a question asks for.

A handful of query-focused heads in the middle layers rank better than the sum over all heads or
than the last layer (QRHead, arXiv 2506.09944; CoRe heads, arXiv 2510.02219). Which ones they are
is found once per model, by :mod:`.calibration`, and kept as a small JSON file.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import ReadingError
from ..locations import locations
from ..storage import write_atomically

CalibrationMethod = Literal["contrast", "copy", "repeats"]
"""How heads are found: by gold passages among look-alikes, by answers that are copied, or by random
tokens that are repeated."""


@dataclass(frozen=True, slots=True, order=True)
class Head:
    """A query head of a decoder."""

    layer: int
    head: int


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScoredHead(_Record):
    """A head and how well it did alone."""

    layer: int = Field(ge=0)
    head: int = Field(ge=0)
    score: float
    """By method: nDCG of the passages (contrast), the share of the answer's tokens that the head
    looked up (copy), or the attention to what a repeated token stands for (repeats)."""


class CalibrationData(_Record):
    """What the heads were chosen on."""

    name: str
    sha256: str
    """Of the data file, or of the texts where there is no file."""
    questions: int
    """The first so many of the file; where there are no questions, the sequences read."""
    passages: int


class Measurement(_Record):
    """Recall of the gold passages among as many best ones, on questions not chosen on."""

    data: str
    questions: int
    method: str
    recall: float


class HeadTable(_Record):
    """The chosen heads of one model, best first."""

    model_id: str
    gguf_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    method: CalibrationMethod = "contrast"
    heads: tuple[ScoredHead, ...] = Field(min_length=1)
    calibrated_on: tuple[CalibrationData, ...]
    created: date
    measured: tuple[Measurement, ...] = ()
    int8_layers: tuple[int, ...] = ()
    """Layers whose matrices may be multiplied in int8: the best passages stay the same."""

    @property
    def exit_layer(self) -> int:
        """The last layer that has a chosen head: later ones need not run."""
        return max(head.layer for head in self.heads)

    @property
    def decoder_heads(self) -> list[Head]:
        return [Head(head.layer, head.head) for head in self.heads]


def find_head_table(gguf_sha256: str) -> HeadTable:
    """The table of the model with that digest: the user's own, else the one that ships.

    Raises:
        ReadingError: there is none, or the user's own cannot be read.
    """
    own = own_table_path(gguf_sha256)
    if own.is_file():
        try:
            return HeadTable.model_validate_json(own.read_bytes())
        except (OSError, ValidationError) as error:
            raise ReadingError(
                f"head table {own} cannot be read ({error})", remedy="remove it and calibrate again"
            ) from error
    tables = shipped_head_tables()
    for table in tables:
        if table.gguf_sha256 == gguf_sha256:
            return table
    known = ", ".join(table.model_id for table in tables) or "none yet"
    raise ReadingError(
        f"no head table for the model {gguf_sha256[:12]}",
        remedy=f"`leadline reader calibrate MODEL` makes one, or choose a calibrated one: {known}",
    )


def save_head_table(table: HeadTable) -> Path:
    """Make ``table`` the user's own for its model; returns where it lies.

    Raises:
        StorageError: the disk refused.
    """
    path = own_table_path(table.gguf_sha256)
    write_atomically(path, table.model_dump_json(indent=2) + "\n")
    return path


def own_table_path(gguf_sha256: str) -> Path:
    """Where the user's own table of a model lies."""
    return locations().state / "heads" / f"{gguf_sha256}.json"


def shipped_head_tables() -> list[HeadTable]:
    """The tables that come with the package, by model id."""
    folder = resources.files(__package__) / "head_tables"
    texts = [path.read_text() for path in folder.iterdir() if path.name.endswith(".json")]
    tables = [HeadTable.model_validate_json(text) for text in texts]
    return sorted(tables, key=lambda table: table.model_id)
