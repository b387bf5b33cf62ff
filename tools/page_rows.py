"""The tables of the page store, and the rows of a new page."""

from __future__ import annotations

import json
import sqlite3
import zlib
from dataclasses import dataclass

from ..evidence import Page
from .near_duplicates import bands, sketch

VERSION = 2
_COMPRESSION = 6

_PAGES = """
CREATE TABLE pages (
    page_id TEXT PRIMARY KEY,
    media_type TEXT NOT NULL,
    title TEXT NOT NULL,
    language TEXT,
    sheet_starts TEXT NOT NULL,
    text BLOB NOT NULL,
    raw BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE fetches (
    fetch_id INTEGER PRIMARY KEY,
    page_id TEXT NOT NULL REFERENCES pages (page_id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    final_url TEXT NOT NULL,
    fetched_at TEXT NOT NULL,
    UNIQUE (page_id, url, fetched_at)
);
CREATE INDEX fetches_by_url ON fetches (url, fetched_at);
CREATE INDEX fetches_by_final_url ON fetches (final_url, fetched_at)
"""

# Apart from pages, whose rows are large and would be rewritten with every use.
_FROM_1_TO_2 = """
CREATE TABLE facts (
    page_id TEXT PRIMARY KEY REFERENCES pages (page_id) ON DELETE CASCADE,
    published TEXT,
    authors TEXT NOT NULL,
    sketch BLOB,
    used_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX facts_by_use ON facts (used_at);
CREATE TABLE bands (
    band INTEGER NOT NULL,
    value INTEGER NOT NULL,
    page_id TEXT NOT NULL REFERENCES pages (page_id) ON DELETE CASCADE,
    PRIMARY KEY (band, value, page_id)
) WITHOUT ROWID;
CREATE INDEX bands_by_page ON bands (page_id);
ALTER TABLE fetches ADD COLUMN imported INTEGER NOT NULL DEFAULT 0;
INSERT INTO facts
    SELECT page_id, NULL, '[]', NULL, max(fetched_at) FROM fetches GROUP BY page_id
"""

SCHEMA = f"{_PAGES};{_FROM_1_TO_2}"
UPGRADES = {1: _FROM_1_TO_2}


@dataclass(frozen=True, slots=True)
class NewPage:
    """A page on its way into the tables, compressed and sketched."""

    page: Page
    text: bytes
    raw: bytes
    sketched: bytes

    @classmethod
    def of(cls, page: Page, body: bytes) -> NewPage:
        text = zlib.compress(page.text.encode(), _COMPRESSION)
        raw = zlib.compress(body, _COMPRESSION)
        return cls(page, text, raw, sketch(page.text))

    def insert(self, connection: sqlite3.Connection) -> None:
        page = self.page
        sheet_starts = json.dumps(page.sheet_starts)
        connection.execute(
            f"INSERT INTO pages VALUES ({marks(7)})",
            (
                page.page_id,
                page.media_type,
                page.title,
                page.language,
                sheet_starts,
                self.text,
                self.raw,
            ),
        )
        published = page.published.isoformat() if page.published else None
        connection.execute(
            f"INSERT INTO facts VALUES ({marks(5)})",
            (page.page_id, published, json.dumps(page.authors), self.sketched, ""),
        )
        connection.executemany(
            f"INSERT INTO bands VALUES ({marks(3)})",
            [(n, value, page.page_id) for n, value in enumerate(bands(self.sketched))],
        )


def marks(count: int) -> str:
    return ", ".join("?" * count)
