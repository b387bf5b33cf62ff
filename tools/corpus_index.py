"""What a corpus knows on disk: its documents, their passages, and BM25 over these.

One SQLite file, so that a document and its passages change together or not at all. Vectors live
beside it; which passages still need theirs, and which vectors have lost their passage, is written
down here first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..evidence import Page
from ..segmentation import passages
from .database import Database
from .headings import Headings
from .lexical_index import LEXICAL_SCHEMA, LexicalEntry, LexicalIndex

_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS documents (
    url TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL,
    page_id TEXT,
    problem TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS documents_by_page ON documents (page_id);
CREATE TABLE IF NOT EXISTS passages (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    page_id TEXT NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    title TEXT NOT NULL,
    embedded INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS passages_by_page ON passages (page_id);
CREATE INDEX IF NOT EXISTS passages_to_embed ON passages (embedded) WHERE embedded = 0;
CREATE TABLE IF NOT EXISTS stale_vectors (key INTEGER PRIMARY KEY);
{LEXICAL_SCHEMA}
"""
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Document:
    """What the index knows of one file or address."""

    url: str
    size: int
    modified_ns: int
    page_id: str | None
    problem: str | None
    """Why it has no page."""


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters ``[start, end)`` of a page."""

    key: int
    page_id: str
    start: int
    end: int
    title: str
    url: str


class CorpusIndex:
    """The tables of one corpus; every change is one transaction.

    Raises:
        StorageError: the disk refuses.
    """

    def __init__(self, folder: Path, *, passage_chars: int) -> None:
        self._database = Database(folder / "index.sqlite3", _SCHEMA, user_version=_VERSION)
        self._passage_chars = passage_chars

    def documents(self) -> dict[str, Document]:
        """Everything that was looked at, by URL."""
        rows = self._query("SELECT url, size, modified_ns, page_id, problem FROM documents")
        return {row[0]: Document(*row) for row in rows}

    def set_page(self, url: str, page: Page, *, size: int, modified_ns: int = 0) -> int:
        """Index ``page`` as what is at ``url``, in place of what was there; its passages' number."""
        with self._database.transaction() as connection:
            lexical = LexicalIndex(connection)
            replaced = self._page_of(url)
            connection.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, ?, NULL)",
                (url, size, modified_ns, page.page_id),
            )
            if replaced not in (None, page.page_id):
                self._drop_orphan(replaced)
            if self._count("SELECT count(*) FROM passages WHERE page_id = ?", page.page_id):
                return 0
            headings = Headings(page.text)
            entries = []
            for start, end in passages(page.text, max_chars=self._passage_chars):
                key = connection.execute(
                    "INSERT INTO passages (page_id, start, end, title) VALUES (?, ?, ?, ?)",
                    (page.page_id, start, end, page.title),
                ).lastrowid
                heading = headings.above(start)
                entries.append(LexicalEntry(key or 0, page.text[start:end], page.title, heading))
            lexical.add(entries)
        return len(entries)

    def set_problem(self, url: str, problem: str, *, size: int, modified_ns: int) -> None:
        """Record that there is no text at ``url``; what was indexed there is dropped."""
        with self._database.transaction() as connection:
            replaced = self._page_of(url)
            connection.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?, NULL, ?)",
                (url, size, modified_ns, problem),
            )
            self._drop_orphan(replaced)

    def touch(self, url: str, *, size: int, modified_ns: int) -> None:
        """Record that the bytes at ``url`` are the same as before."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE documents SET size = ?, modified_ns = ? WHERE url = ?",
                (size, modified_ns, url),
            )

    def remove(self, urls: Iterable[str]) -> None:
        """Forget what was at these URLs."""
        for url in urls:
            with self._database.transaction() as connection:
                page_id = self._page_of(url)
                connection.execute("DELETE FROM documents WHERE url = ?", (url,))
                self._drop_orphan(page_id)

    def lexical_ranking(self, query: str, k: int) -> list[int]:
        """Keys of the best ``k`` passages by BM25."""
        with self._database.errors():
            lexical = LexicalIndex(self._database.connection)
            return [key for key, _ in lexical.search(query, k)]

    def passages(self, keys: Sequence[int]) -> dict[int, Passage]:
        """The passages of those ``keys`` that are known."""
        marks = ",".join("?" * len(keys))
        rows = self._query(
            f"SELECT key, p.page_id, start, end, title,"
            f" (SELECT min(url) FROM documents d WHERE d.page_id = p.page_id)"
            f" FROM passages p WHERE key IN ({marks})",
            *keys,
        )
        return {row[0]: Passage(*row) for row in rows}

    def to_embed(self, limit: int) -> list[Passage]:
        """Passages without a vector, page by page."""
        rows = self._query(
            "SELECT key, page_id, start, end, title, '' FROM passages"
            " WHERE embedded = 0 ORDER BY key LIMIT ?",
            limit,
        )
        return [Passage(*row) for row in rows]

    def mark_embedded(self, keys: Sequence[int]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE passages SET embedded = 1 WHERE key = ?", ((key,) for key in keys)
            )

    def forget_embeddings(self) -> None:
        """Every passage needs a vector again."""
        with self._database.transaction() as connection:
            connection.execute("UPDATE passages SET embedded = 0")
            connection.execute("DELETE FROM stale_vectors")

    def stale_vectors(self) -> list[int]:
        """Keys of vectors whose passage is gone."""
        return [key for (key,) in self._query("SELECT key FROM stale_vectors")]

    def clear_stale_vectors(self, keys: Sequence[int]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "DELETE FROM stale_vectors WHERE key = ?", ((key,) for key in keys)
            )

    def page_count(self) -> int:
        return self._count("SELECT count(DISTINCT page_id) FROM documents")

    def passage_count(self) -> int:
        return self._count("SELECT count(*) FROM passages")

    def unembedded_count(self) -> int:
        return self._count("SELECT count(*) FROM passages WHERE embedded = 0")

    def close(self) -> None:
        self._database.close()

    def _page_of(self, url: str) -> str | None:
        rows = self._query("SELECT page_id FROM documents WHERE url = ?", url)
        return rows[0][0] if rows else None

    def _drop_orphan(self, page_id: str | None) -> None:
        """Drop a page's passages when no document has it any more; inside a transaction."""
        if page_id is None or self._count(
            "SELECT count(*) FROM documents WHERE page_id = ?", page_id
        ):
            return
        connection = self._database.connection
        keys = [
            key for (key,) in self._query("SELECT key FROM passages WHERE page_id = ?", page_id)
        ]
        LexicalIndex(connection).remove(keys)
        connection.execute(
            "INSERT OR IGNORE INTO stale_vectors"
            " SELECT key FROM passages WHERE page_id = ? AND embedded = 1",
            (page_id,),
        )
        connection.execute("DELETE FROM passages WHERE page_id = ?", (page_id,))

    def _query(self, statement: str, *parameters: object) -> list[tuple]:  # type: ignore[type-arg]
        with self._database.errors():
            return self._database.connection.execute(statement, parameters).fetchall()

    def _count(self, statement: str, *parameters: object) -> int:
        return int(self._query(statement, *parameters)[0][0])
