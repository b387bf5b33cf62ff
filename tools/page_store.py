"""Pages as they were fetched, kept by the digest of their bytes.

A page's text is stored once and never changes afterwards, even when extraction gets better:
every offset into it stays valid. The same bytes found at several addresses are one page with
several fetches.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from ..errors import StorageError
from ..evidence import Page
from ..locations import locations
from .database import Database
from .extraction.document import Extracted

_SCHEMA = """
CREATE TABLE IF NOT EXISTS pages (
    page_id TEXT PRIMARY KEY,
    media_type TEXT NOT NULL,
    title TEXT NOT NULL,
    language TEXT,
    sheet_starts TEXT NOT NULL,
    text BLOB NOT NULL,
    raw BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS fetches (
    fetch_id INTEGER PRIMARY KEY,
    page_id TEXT NOT NULL REFERENCES pages (page_id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    final_url TEXT NOT NULL,
    fetched_at TEXT NOT NULL,
    UNIQUE (page_id, url, fetched_at)
);
CREATE INDEX IF NOT EXISTS fetches_by_url ON fetches (url, fetched_at);
CREATE INDEX IF NOT EXISTS fetches_by_final_url ON fetches (final_url, fetched_at)
"""
_VERSION = 1
_COMPRESSION = 6

_COLUMNS = """
    SELECT p.page_id, f.url, f.final_url, f.fetched_at, p.media_type, p.title, p.text,
           p.sheet_starts, p.language
    FROM pages p JOIN fetches f USING (page_id)
"""
_Row = tuple[str, str, str, str, str, str, bytes, str, str | None]


class PageStore:
    """Pages on disk, in one SQLite file; safe for several threads and processes.

    Raises:
        StorageError: the folder cannot be used; later, the disk refuses.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._database = Database(
            (folder or locations().pages) / "pages.sqlite3", _SCHEMA, user_version=_VERSION
        )

    def put(
        self,
        body: bytes,
        *,
        url: str,
        final_url: str,
        media_type: str,
        fetched_at: datetime,
        extracted: Extracted,
    ) -> Page:
        """Keep a page; if its bytes are known, only that they were found here and now.

        ``extracted`` is ignored for bytes that are known: their text is settled.

        Raises:
            StorageError: the disk refused; nothing was kept.
        """
        page = Page(
            page_id=page_id_of(body),
            url=url,
            final_url=final_url,
            fetched_at=fetched_at.astimezone(UTC),
            media_type=media_type,
            title=extracted.title,
            text=extracted.text,
            sheet_starts=extracted.sheet_starts,
            language=extracted.language,
        )
        known = page.page_id in self
        raw = b"" if known else zlib.compress(body, _COMPRESSION)
        text = b"" if known else zlib.compress(page.text.encode(), _COMPRESSION)
        with self._database.transaction() as connection:
            if not known:
                known = not connection.execute(
                    "INSERT OR IGNORE INTO pages VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        page.page_id,
                        page.media_type,
                        page.title,
                        page.language,
                        json.dumps(page.sheet_starts),
                        text,
                        raw,
                    ),
                ).rowcount
            connection.execute(
                "INSERT OR IGNORE INTO fetches (page_id, url, final_url, fetched_at)"
                " VALUES (?, ?, ?, ?)",
                (page.page_id, url, final_url, page.fetched_at.isoformat()),
            )
        return self._as_fetched(page) if known else page

    def get(self, page_id: str) -> Page:
        """The page, with the address and time of its latest fetch.

        Raises:
            StorageError: it is not in the store, or the store is damaged.
        """
        rows = self._rows("WHERE p.page_id = ? ORDER BY f.fetched_at DESC LIMIT 1", page_id)
        for row in rows:
            return self._page(row)
        raise _missing(page_id)

    def by_url(self, url: str) -> list[Page]:
        """What was found at ``url``, asked for or led to by redirects, newest first."""
        rows = self._rows(
            "WHERE f.url = ? OR f.final_url = ? ORDER BY f.fetched_at DESC, f.fetch_id DESC",
            url,
            url,
        )
        return [self._page(row) for row in rows]

    def latest(self, *urls: str) -> Page | None:
        """What was last found at one of ``urls``, asked for or led to; None if nothing ever was."""
        marks = ", ".join("?" * len(urls))
        rows = self._rows(
            f"WHERE f.url IN ({marks}) OR f.final_url IN ({marks})"
            " ORDER BY f.fetched_at DESC, f.fetch_id DESC LIMIT 1",
            *urls,
            *urls,
        )
        return self._page(rows[0]) if rows else None

    def raw(self, page_id: str) -> bytes:
        """The fetched bytes.

        Raises:
            StorageError: the page is not in the store, or the store is damaged.
        """
        with self._database.errors():
            row = self._database.connection.execute(
                "SELECT raw FROM pages WHERE page_id = ?", (page_id,)
            ).fetchone()
        if row is None:
            raise _missing(page_id)
        return self._inflated(row[0], page_id)

    def __contains__(self, page_id: object) -> bool:
        with self._database.errors():
            return (
                self._database.connection.execute(
                    "SELECT 1 FROM pages WHERE page_id = ?", (page_id,)
                ).fetchone()
                is not None
            )

    def __iter__(self) -> Iterator[Page]:
        """Every page once, with its latest fetch."""
        with self._database.errors():
            ids = self._database.connection.execute("SELECT page_id FROM pages ORDER BY page_id")
            page_ids = [page_id for (page_id,) in ids]
        return (self.get(page_id) for page_id in page_ids)

    def __len__(self) -> int:
        with self._database.errors():
            count: int = self._database.connection.execute("SELECT count(*) FROM pages").fetchone()[
                0
            ]
        return count

    def close(self) -> None:
        self._database.close()

    def _as_fetched(self, page: Page) -> Page:
        """The stored page under the address and time of ``page``."""
        stored = self.get(page.page_id)
        fetch = {name: getattr(page, name) for name in ("url", "final_url", "fetched_at")}
        return stored.model_copy(update=fetch)

    def _rows(self, condition: str, *parameters: str) -> list[_Row]:
        with self._database.errors():
            return self._database.connection.execute(_COLUMNS + condition, parameters).fetchall()

    def _page(self, row: _Row) -> Page:
        page_id, url, final_url, fetched_at, media_type, title, text, sheet_starts, language = row
        return Page(
            page_id=page_id,
            url=url,
            final_url=final_url,
            fetched_at=datetime.fromisoformat(fetched_at),
            media_type=media_type,
            title=title,
            text=self._inflated(text, page_id).decode(),
            sheet_starts=tuple(json.loads(sheet_starts)),
            language=language,
        )

    def _inflated(self, data: bytes, page_id: str) -> bytes:
        try:
            return zlib.decompress(data)
        except zlib.error as error:
            raise StorageError(
                f"page {page_id[:12]} in {self._database.path} is damaged ({error})",
                remedy="move the file away and fetch or index its pages again",
            ) from error


def page_id_of(body: bytes) -> str:
    """SHA-256 of a page's bytes, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def _missing(page_id: str) -> StorageError:
    return StorageError(
        f"page {page_id[:12]} is not in the page store",
        remedy="fetch it again, or update the corpus it came from",
    )
