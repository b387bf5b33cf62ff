"""What earlier runs found out: supported claims with their spans, by words and by meaning.

Nothing here is taken for true again: what is recalled is a place in a stored page, which a new run
reads for its own question.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ..cancellation import Cancellation
from ..locations import locations
from ..progress import silent
from ..tools.database import Database
from ..tools.lexical_index import LEXICAL_SCHEMA, LexicalEntry, LexicalIndex
from ..tools.rank_fusion import reciprocal_rank_fusion
from ..tools.vector_index import Embedder, VectorIndex
from .report import Report
from .research_graph import same_question
from .run_store import RunStore

_SCHEMA = f"""
CREATE TABLE runs (
    run_id TEXT PRIMARY KEY,
    question TEXT NOT NULL,
    finished_at TEXT NOT NULL,
    open_questions TEXT NOT NULL,
    forgotten INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE claims (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id TEXT NOT NULL,
    claim TEXT NOT NULL,
    page_id TEXT NOT NULL,
    start INTEGER NOT NULL,
    end INTEGER NOT NULL,
    quote TEXT NOT NULL,
    url TEXT NOT NULL,
    title TEXT NOT NULL,
    embedded_by TEXT
);
CREATE INDEX claims_by_run ON claims (run_id);
{LEXICAL_SCHEMA}
"""
_LOOKED_AT = 40
"""Claims that words and meaning each bring, before they are fused."""
_CLAIM = "claims.run_id, question, finished_at, claim, page_id, start, end, quote, url, title"


@dataclass(frozen=True, slots=True)
class Recollection:
    """A claim of an earlier run, and one of the places it rested on."""

    run_id: str
    question: str
    """What was asked then."""
    finished_at: datetime
    claim: str
    page_id: str
    start: int
    end: int
    quote: str
    url: str
    title: str


@dataclass(frozen=True, slots=True)
class RememberedRun:
    run_id: str
    question: str
    finished_at: datetime
    claims: int


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question that an earlier run on the same matter left open, or was about."""

    question: str
    run_id: str
    asked_at: datetime
    open: bool


class Memory:
    """The memory in ``folder``; without ``embedder`` it is searched by words alone. Blocks.

    Raises:
        StorageError: the folder cannot be written, or what is in it is damaged.
    """

    def __init__(self, folder: Path, *, embedder: Embedder | None = None) -> None:
        self._folder = folder
        self._embedder = embedder
        self._database = Database(folder / "memory.sqlite3", _SCHEMA, user_version=1)

    def close(self) -> None:
        self._database.close()

    def update(self, runs: RunStore, *, cancel: Cancellation) -> None:
        """Take in the runs that have finished since, and forget those that were removed.

        Raises:
            RunError: a report is damaged.
            Cancelled: ``cancel`` was set; what was taken in so far is kept.
        """
        folders = {folder.path.name: folder for folder in runs.all()}
        known = self._drop_all_but(folders)
        for run_id, folder in folders.items():
            cancel.check()
            if run_id not in known and (report := folder.report) is not None:
                self._take_in(report)
        self._embed_new(cancel)

    def drop_removed(self, runs: RunStore) -> None:
        """Delete what came from runs that are no longer there."""
        self._drop_all_but(folder.path.name for folder in runs.all())

    def recall(self, query: str, *, limit: int, cancel: Cancellation) -> list[Recollection]:
        """What bears on ``query``, best first.

        Raises:
            Cancelled: ``cancel`` was set.
        """
        with self._database.transaction() as connection:
            by_words = [key for key, _ in LexicalIndex(connection).search(query, _LOOKED_AT)]
        rankings = [by_words, self._by_meaning(query, cancel)]
        best = [key for key, _ in reciprocal_rank_fusion(rankings)[:limit]]
        found = {
            row[0]: _recollection(row[1:])
            for row in self._rows(
                f"SELECT key, {_CLAIM} FROM claims JOIN runs USING (run_id) "
                "WHERE key IN (SELECT value FROM json_each(?))",
                best,
            )
        }
        return [found[key] for key in best if key in found]

    def suggestions(self, question: str, *, limit: int, cancel: Cancellation) -> list[Suggestion]:
        """Questions to go on with after ``question``: what related runs left open comes first."""
        related = dict.fromkeys(
            recollection.run_id
            for recollection in self.recall(question, limit=_LOOKED_AT, cancel=cancel)
        )
        rows = self._rows(
            "SELECT run_id, question, finished_at, open_questions FROM runs "
            "WHERE run_id IN (SELECT value FROM json_each(?))",
            related,
        )
        found: list[Suggestion] = []
        for run_id, asked, finished_at, opened in rows:
            at = datetime.fromisoformat(finished_at)
            found += [Suggestion(text, run_id, at, open=True) for text in json.loads(opened)]
            found.append(Suggestion(asked, run_id, at, open=False))
        kept: list[Suggestion] = []
        for suggestion in sorted(found, key=lambda found: not found.open):
            known = (question, *(other.question for other in kept))
            if not any(same_question(suggestion.question, other) for other in known):
                kept.append(suggestion)
        return kept[:limit]

    def runs(self) -> list[RememberedRun]:
        """What is remembered, oldest first."""
        rows = self._rows(
            "SELECT run_id, question, finished_at, count(key) FROM runs LEFT JOIN claims "
            "USING (run_id) WHERE NOT forgotten GROUP BY run_id ORDER BY finished_at"
        )
        return [
            RememberedRun(run_id, question, datetime.fromisoformat(finished_at), claims)
            for run_id, question, finished_at, claims in rows
        ]

    def forget(self, run_ids: Iterable[str]) -> None:
        """Delete what these runs brought, from the disk as well; they are not taken in again."""
        forgotten = list(run_ids)
        self._delete(forgotten)
        self._execute(
            "UPDATE runs SET question = '', open_questions = '[]', forgotten = 1 "
            "WHERE run_id IN (SELECT value FROM json_each(?))",
            forgotten,
        )
        self._clear_disk()

    def _drop_all_but(self, run_ids: Iterable[str]) -> set[str]:
        """Delete what came from other runs; the ids of those that are known and stay."""
        known = {str(row[0]) for row in self._rows("SELECT run_id FROM runs")}
        if gone := known.difference(run_ids):
            self._delete(gone)
            self._execute("DELETE FROM runs WHERE run_id IN (SELECT value FROM json_each(?))", gone)
            self._clear_disk()
        return known - gone

    def _clear_disk(self) -> None:
        with self._database.errors():
            connection = self._database.connection
            # what is deleted would otherwise stand in free pages, and in the index's old segments
            connection.execute("INSERT INTO lexical (lexical) VALUES ('optimize')")
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _take_in(self, report: Report) -> None:
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO runs (run_id, question, finished_at, open_questions) "
                "VALUES (?, ?, ?, ?)",
                (
                    report.run_id,
                    report.question,
                    report.finished_at.isoformat(),
                    json.dumps(report.open_questions),
                ),
            )
            lexical = LexicalIndex(connection)
            for claim in report.claims:
                for citation in claim.citations if claim.verdict == "supported" else ():
                    key = connection.execute(
                        "INSERT INTO claims (run_id, claim, page_id, start, end, quote, url, title)"
                        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                        (
                            report.run_id,
                            claim.text,
                            citation.page_id,
                            citation.start,
                            citation.end,
                            citation.quote,
                            citation.url,
                            citation.title,
                        ),
                    ).lastrowid
                    text = f"{claim.text}\n{citation.quote}"
                    entry = LexicalEntry(key or 0, text, citation.title, report.question)
                    lexical.add([entry])

    def _delete(self, run_ids: Iterable[str]) -> None:
        named = "run_id IN (SELECT value FROM json_each(?))"
        keys = [row[0] for row in self._rows(f"SELECT key FROM claims WHERE {named}", run_ids)]
        if keys and self._vectors_folder.exists():
            with closing(VectorIndex(self._vectors_folder)) as vectors:
                vectors.remove(keys)
        with self._database.transaction() as connection:
            LexicalIndex(connection).remove(keys)
            connection.executemany("DELETE FROM claims WHERE key = ?", ((key,) for key in keys))

    def _embed_new(self, cancel: Cancellation) -> None:
        """Make the vectors that are missing, or that another model made."""
        if self._embedder is None:
            return
        model = self._embedder.model_id
        rows = self._rows(
            "SELECT key, claim || char(10) || quote, embedded_by FROM claims "
            "WHERE embedded_by IS NOT ?1",
            model,
        )
        if not rows:
            return
        with closing(VectorIndex(self._vectors_folder)) as vectors:
            if any(embedded_by is not None for _, _, embedded_by in rows):
                vectors.clear()
            texts = [text for _, text, _ in rows]
            made = self._embedder.embed(texts, cancel=cancel, progress=silent)
            keys = [key for key, _, _ in rows]
            vectors.upsert(keys, made)
        with self._database.transaction() as connection:
            connection.executemany(
                "UPDATE claims SET embedded_by = ? WHERE key = ?", ((model, key) for key in keys)
            )

    def _by_meaning(self, query: str, cancel: Cancellation) -> list[int]:
        if self._embedder is None or not self._vectors_folder.exists():
            return []
        [vector] = self._embedder.embed([query], cancel=cancel, progress=silent)
        with closing(VectorIndex(self._vectors_folder)) as vectors:
            return [key for key, _ in vectors.search(vector, _LOOKED_AT)]

    @property
    def _vectors_folder(self) -> Path:
        return self._folder / "vectors"

    def _rows(self, query: str, *values: str | Iterable[str | int]) -> list[tuple[Any, ...]]:
        with self._database.errors():
            return self._database.connection.execute(query, _bound(values)).fetchall()

    def _execute(self, statement: str, values: Iterable[str]) -> None:
        with self._database.transaction() as connection:
            connection.execute(statement, _bound([values]))


def forget_removed(runs: RunStore) -> None:
    """Delete from the user's memory, where there is one, what came from runs that are gone. Blocks.

    Raises:
        StorageError: the memory is damaged, or the disk refused.
    """
    if locations().memory.exists():
        with closing(Memory(locations().memory)) as memory:
            memory.drop_removed(runs)


def _bound(values: Iterable[str | Iterable[str | int]]) -> list[str]:
    """Lists are bound as JSON, for ``json_each``."""
    return [value if isinstance(value, str) else json.dumps(list(value)) for value in values]


def _recollection(row: Sequence[Any]) -> Recollection:
    run_id, question, finished_at, *rest = row
    return Recollection(run_id, question, datetime.fromisoformat(finished_at), *rest)
