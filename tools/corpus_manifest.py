"""What a corpus is made from, and what became of making it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import CorpusError
from ..storage import write_atomically

MANIFEST_FILE = "manifest.json"
DEFAULT_MAX_PAGES = 500
DEFAULT_MAX_FILE_BYTES = 64 * 1024 * 1024
DEFAULT_PASSAGE_CHARS = 1000


class CorpusManifest(BaseModel):
    """One corpus: where its documents are, how they are indexed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    name: str
    kind: Literal["folder", "site"]
    origin: str
    """The folder's absolute path, or the URL that the crawl starts at."""
    created_at: datetime
    indexed_at: datetime | None = None
    """When it was last brought up to date to the end; None while it never was."""
    max_pages: int = Field(default=DEFAULT_MAX_PAGES, ge=1)
    """Pages that a crawl fetches at most."""
    max_file_bytes: int = Field(default=DEFAULT_MAX_FILE_BYTES, ge=1)
    """Larger files are skipped."""
    passage_chars: int = Field(default=DEFAULT_PASSAGE_CHARS, ge=200, le=8000)
    """Characters of a passage at most."""
    embeddings: bool = True
    """Whether passages are to be embedded when there is an embedder."""
    embedder: str | None = None
    """The model whose vectors the corpus has; None for a lexical one."""

    @classmethod
    def load(cls, folder: Path) -> CorpusManifest:
        """The manifest in a corpus's folder.

        Raises:
            CorpusError: it is not there, or cannot be read.
        """
        path = folder / MANIFEST_FILE
        try:
            return cls.model_validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise CorpusError(
                f"there is no corpus '{folder.name}'",
                remedy="`leadline corpus list` shows those there are, "
                "`leadline corpus add NAME PATH` makes one",
            ) from error
        except (OSError, ValidationError) as error:
            raise CorpusError(
                f"the manifest {path} of corpus '{folder.name}' cannot be read",
                remedy=f"make it again: `leadline corpus rm {folder.name}`, then add it",
            ) from error

    def save(self, folder: Path) -> None:
        """Write the manifest into a corpus's folder.

        Raises:
            StorageError: the disk refused.
        """
        write_atomically(folder / MANIFEST_FILE, self.model_dump_json(indent=2))


def corpus_names(folder: Path) -> list[str]:
    """The corpora under ``folder``, in alphabetical order; none where there is no folder."""
    return sorted(path.parent.name for path in folder.glob(f"*/{MANIFEST_FILE}"))


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document that was left out, and why."""

    path: str
    """Path or URL, as it can be printed."""
    reason: str


@dataclass(slots=True)
class IndexReport:
    """What bringing a corpus up to date came to."""

    pages: int = 0
    """Pages that the corpus now has."""
    passages: int = 0
    """Passages that it now has."""
    added: int = 0
    """Documents that were new or had changed."""
    removed: int = 0
    """Documents that were gone."""
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    unembedded: int = 0
    """Passages whose vectors were left to a later update."""
    seconds: float = 0.0

    def skipped_by_reason(self) -> Counter[str]:
        """How many documents were left out for each reason."""
        return Counter(skipped.reason for skipped in self.skipped)
