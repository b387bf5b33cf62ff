"""Search results that are kept, so that a question asked again need not be searched again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import astuple
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ...cancellation import Cancellation
from ...errors import SearchError
from ..database import Database
from ..web_pages import Reuse
from .protocol import SearchBackend, SearchResult

_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    backend TEXT NOT NULL,
    query TEXT NOT NULL,
    most INTEGER NOT NULL,
    asked_at TEXT NOT NULL,
    results TEXT NOT NULL,
    PRIMARY KEY (backend, query, most)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_by_time ON answers (asked_at)
"""
_VERSION = 1
_KEPT_DAYS = 90


class SearchAnswers:
    """The last results of each query, in one SQLite file; safe for threads and processes.

    Raises:
        StorageError: the folder cannot be used; later, the disk refuses.
    """

    def __init__(self, folder: Path) -> None:
        self._database = Database(folder / "search.sqlite3", _SCHEMA, user_version=_VERSION)

    def put(self, backend: str, query: str, limit: int, results: Sequence[SearchResult]) -> None:
        """Keep ``results``; what is older than a season goes."""
        now = datetime.now(UTC)
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?)",
                (backend, query, limit, now.isoformat(), json.dumps([*map(astuple, results)])),
            )
            oldest = now - timedelta(days=_KEPT_DAYS)
            connection.execute("DELETE FROM answers WHERE asked_at < ?", (oldest.isoformat(),))

    def get(
        self, backend: str, query: str, limit: int
    ) -> tuple[datetime, list[SearchResult]] | None:
        """When ``query`` was last asked, and what was found then; None if it never was."""
        with self._database.errors():
            row = self._database.connection.execute(
                "SELECT asked_at, results FROM answers WHERE (backend, query, most) = (?, ?, ?)",
                (backend, query, limit),
            ).fetchone()
        if row is None:
            return None
        return datetime.fromisoformat(row[0]), [SearchResult(*hit) for hit in json.loads(row[1])]

    def close(self) -> None:
        self._database.close()


class KeptSearch:
    """``backend``, asked only for what ``answers`` does not hold or ``reuse`` does not take.

    Only answers are kept, never failures. A backend itself.
    """

    def __init__(self, backend: SearchBackend, answers: SearchAnswers, reuse: Reuse) -> None:
        self._backend = backend
        self._answers = answers
        self._reuse = reuse

    @property
    def name(self) -> str:
        return self._backend.name

    @property
    def description(self) -> str:
        return self._backend.description

    def why_not(self) -> list[str]:
        return [] if self._reuse.offline else self._backend.why_not()

    async def search(self, query: str, *, limit: int, cancel: Cancellation) -> list[SearchResult]:
        kept = await asyncio.to_thread(self._answers.get, self.name, query, limit)
        if kept is not None and self._reuse.takes(kept[0]):
            return kept[1]
        if self._reuse.offline:
            raise SearchError(
                f"{self.name} is not asked offline, and no results for {query[:80]!r} are kept",
                remedy="unset LEADLINE_OFFLINE to search",
            )
        results = await self._backend.search(query, limit=limit, cancel=cancel)
        await asyncio.to_thread(self._answers.put, self.name, query, limit, results)
        return results
