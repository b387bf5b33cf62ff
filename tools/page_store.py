"""Pages as they were fetched, kept by the digest of their bytes.

A page's text is stored once and never changes afterwards, even when extraction gets better:
every offset into it stays valid. The same bytes found at several addresses are one page with
several fetches.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from ..errors import StorageError
from ..evidence import Page
from ..locations import locations
from . import near_duplicates
from .database import Database
from .extraction.document import Extracted
from .page_rows import SCHEMA, UPGRADES, VERSION, NewPage, marks
from .process_lock import SharedLock

DATABASE_FILE = "pages.sqlite3"
LOCK_FILE = "pages.lock"
"""Shared by everybody who has the store open; whoever replaces its file holds it alone."""

GRACE = timedelta(days=1)
"""A page used within it is never evicted: a run that goes on may be about to cite it."""

_COLUMNS = """
    SELECT p.page_id, f.url, f.final_url, f.fetched_at, p.media_type, p.title, p.text,
           p.sheet_starts, p.language, a.published, a.authors
    FROM pages p JOIN fetches f USING (page_id) JOIN facts a USING (page_id)
"""
_NEWEST = "ORDER BY f.imported, f.fetched_at DESC, f.fetch_id DESC"
_Row = tuple[str, str, str, str, str, str, bytes, str, str | None, str | None, str]


@dataclass(frozen=True, slots=True)
class Version:
    """One state of what is at an address."""

    page_id: str
    title: str
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Eviction:
    """What was dropped to make room."""

    pages: int
    bytes: int
    """Of the file now."""


class PageStore:
    """Pages on disk, in one SQLite file; safe for several threads and processes.

    Raises:
        StorageError: the folder cannot be used, or the store is being repaired; later, the disk
            refuses.
    """

    def __init__(self, folder: Path | None = None) -> None:
        folder = folder or locations().pages
        self._lock = SharedLock(folder / LOCK_FILE, busy="the page store is being repaired")
        try:
            self.database = Database(
                folder / DATABASE_FILE,
                SCHEMA,
                user_version=VERSION,
                upgrades=UPGRADES,
            )
        except StorageError:
            self._lock.release()
            raise

    def put(
        self,
        body: bytes,
        *,
        url: str,
        final_url: str,
        media_type: str,
        fetched_at: datetime,
        extracted: Extracted,
        imported: bool = False,
    ) -> Page:
        """Keep a page; if its bytes are known, only that they were found here and now.

        ``extracted`` is ignored for bytes that are known: their text is settled. ``imported``
        says that somebody else fetched it: :meth:`latest` does not take that for a fetch.

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
            published=extracted.published,
            authors=extracted.authors,
        )
        # Compressing and sketching take time: they are done before others are made to wait.
        new = None if page.page_id in self else NewPage.of(page, body)
        with self.database.transaction() as connection:
            known = self._holds(page.page_id)
            if not known:
                (new or NewPage.of(page, body)).insert(connection)
            connection.execute(
                "INSERT OR IGNORE INTO fetches (page_id, url, final_url, fetched_at, imported)"
                " VALUES (?, ?, ?, ?, ?)",
                (page.page_id, url, final_url, page.fetched_at.isoformat(), imported),
            )
            self._touch(page.page_id)
        return self._as_fetched(page) if known else page

    def get(self, page_id: str) -> Page:
        """The page, with the address and time of its latest fetch.

        Raises:
            StorageError: it is not in the store, or the store is damaged.
        """
        for row in self._rows(f"WHERE p.page_id = ? {_NEWEST} LIMIT 1", page_id):
            return self._page(row)
        raise _missing(page_id)

    def by_url(self, url: str) -> list[Page]:
        """What was found at ``url``, asked for or led to by redirects, newest first."""
        rows = self._rows(f"WHERE f.url = ? OR f.final_url = ? {_NEWEST}", url, url)
        return [self._page(row) for row in rows]

    def latest(self, *urls: str) -> Page | None:
        """What this machine last found at one of ``urls``, asked for or led to; None if nothing."""
        places = marks(len(urls))
        rows = self._rows(
            f"WHERE (f.url IN ({places}) OR f.final_url IN ({places})) AND NOT f.imported"
            f" {_NEWEST} LIMIT 1",
            *urls,
            *urls,
        )
        if not rows:
            return None
        with self.database.transaction():
            self._touch(rows[0][0])
        return self._page(rows[0])

    def versions(self, url: str) -> list[Version]:
        """The states that ``url`` was seen in, the one seen last first."""
        with self.database.errors():
            rows = self.database.connection.execute(
                "SELECT page_id, title, min(fetched_at), max(fetched_at)"
                " FROM fetches JOIN pages USING (page_id) WHERE url = ? OR final_url = ?"
                " GROUP BY page_id ORDER BY max(fetched_at) DESC",
                (url, url),
            ).fetchall()
        return [
            Version(page_id, title, datetime.fromisoformat(first), datetime.fromisoformat(last))
            for page_id, title, first, last in rows
        ]

    def near_duplicates(self, page_id: str) -> list[tuple[str, float]]:
        """Other pages whose text nearly repeats this one's, with their resemblance, nearest first.

        Raises:
            StorageError: the page is not in the store.
        """
        with self.database.errors():
            connection = self.database.connection
            own = connection.execute(
                "SELECT sketch FROM facts WHERE page_id = ?", (page_id,)
            ).fetchone()
            if own is None:
                raise _missing(page_id)
            candidates = connection.execute(
                "SELECT DISTINCT facts.page_id, sketch"
                " FROM bands AS mine JOIN bands AS theirs USING (band, value)"
                " JOIN facts ON facts.page_id = theirs.page_id"
                " WHERE mine.page_id = ? AND theirs.page_id != mine.page_id",
                (page_id,),
            ).fetchall()
        found = [
            (other, near_duplicates.resemblance(own[0], sketched)) for other, sketched in candidates
        ]
        near = [pair for pair in found if pair[1] >= near_duplicates.NEARLY_THE_SAME]
        return sorted(near, key=lambda pair: -pair[1])

    def raw(self, page_id: str) -> bytes:
        """The fetched bytes.

        Raises:
            StorageError: the page is not in the store, or the store is damaged.
        """
        with self.database.errors():
            row = self.database.connection.execute(
                "SELECT raw FROM pages WHERE page_id = ?", (page_id,)
            ).fetchone()
        if row is None:
            raise _missing(page_id)
        return self._inflated(row[0], page_id)

    def bytes_used(self) -> int:
        """Bytes of the file that hold something."""
        with self.database.errors():
            used: int = self.database.connection.execute(
                "SELECT (page_count - freelist_count) * page_size"
                " FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()"
            ).fetchone()[0]
        return used

    def evict(self, max_bytes: int, *, keep: Collection[str], grace: timedelta = GRACE) -> Eviction:
        """Drop the pages not used for longest until at most ``max_bytes`` are used.

        Pages in ``keep``, and those used within ``grace``, stay whatever the size.

        Raises:
            StorageError: the disk refused.
        """
        cutoff = (datetime.now(UTC) - grace).isoformat()
        with self.database.errors():
            oldest = self.database.connection.execute(
                "SELECT page_id FROM facts WHERE used_at < ? ORDER BY used_at", (cutoff,)
            ).fetchall()
        dropped = 0
        for (page_id,) in oldest:
            if self.bytes_used() <= max_bytes:
                break
            if page_id not in keep:
                with self.database.transaction() as connection:
                    # Another process may have used it since.
                    dropped += connection.execute(
                        "DELETE FROM pages WHERE page_id ="
                        " (SELECT page_id FROM facts WHERE page_id = ? AND used_at < ?)",
                        (page_id, cutoff),
                    ).rowcount
        if dropped:
            with self.database.errors():
                # execute() would stop after the first page.
                self.database.connection.executescript("PRAGMA incremental_vacuum")
        return Eviction(dropped, self.bytes_used())

    def __contains__(self, page_id: object) -> bool:
        with self.database.errors():
            return self._holds(page_id)

    def __iter__(self) -> Iterator[Page]:
        """Every page once, with its latest fetch."""
        return (self.get(page_id) for page_id in self.page_ids())

    def page_ids(self) -> list[str]:
        with self.database.errors():
            ids = self.database.connection.execute("SELECT page_id FROM pages ORDER BY page_id")
            return [page_id for (page_id,) in ids]

    def __len__(self) -> int:
        with self.database.errors():
            count: int = self.database.connection.execute("SELECT count(*) FROM pages").fetchone()[
                0
            ]
        return count

    def close(self) -> None:
        self.database.close()
        self._lock.release()

    def _holds(self, page_id: object) -> bool:
        query = "SELECT 1 FROM pages WHERE page_id = ?"
        return self.database.connection.execute(query, (page_id,)).fetchone() is not None

    def _touch(self, page_id: str) -> None:
        self.database.connection.execute(
            "UPDATE facts SET used_at = ? WHERE page_id = ?",
            (datetime.now(UTC).isoformat(), page_id),
        )

    def _as_fetched(self, page: Page) -> Page:
        """The stored page under the address and time of ``page``."""
        stored = self.get(page.page_id)
        fetch = {name: getattr(page, name) for name in ("url", "final_url", "fetched_at")}
        return stored.model_copy(update=fetch)

    def _rows(self, condition: str, *parameters: str) -> list[_Row]:
        with self.database.errors():
            return self.database.connection.execute(_COLUMNS + condition, parameters).fetchall()

    def _page(self, row: _Row) -> Page:
        (page_id, url, final_url, fetched_at, media_type, title, text, sheets, language) = row[:9]
        published, authors = row[9:]
        return Page(
            page_id=page_id,
            url=url,
            final_url=final_url,
            fetched_at=datetime.fromisoformat(fetched_at),
            media_type=media_type,
            title=title,
            text=self._inflated(text, page_id).decode(),
            sheet_starts=tuple(json.loads(sheets)),
            language=language,
            published=date.fromisoformat(published) if published else None,
            authors=tuple(json.loads(authors)),
        )

    def _inflated(self, data: bytes, page_id: str) -> bytes:
        try:
            return zlib.decompress(data)
        except zlib.error as error:
            raise StorageError(
                f"page {page_id[:12]} in {self.database.path} is damaged ({error})",
                remedy="leadline pages repair",
            ) from error


def page_id_of(body: bytes) -> str:
    """SHA-256 of a page's bytes, in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def _missing(page_id: str) -> StorageError:
    return StorageError(
        f"page {page_id[:12]} is not in the page store",
        remedy="fetch it again, or update the corpus it came from",
    )
