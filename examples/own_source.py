"""A source of your own: pages from a database, a wiki, a ticket system."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime

from leadline import Cancellation, Leadline, Page
from leadline.agent.sources import Found
from leadline.tools.extraction import extract
from leadline.tools.page_store import PageStore
from own_engine import QUESTION, RuleEngine


class Notes:
    """Rows of a table as pages, found by the words they hold."""

    name = "notes"

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database
        self._pages = PageStore()

    async def find(self, query: str, *, limit: int, cancel: Cancellation) -> Found:
        words = query.strip("?").split()
        condition = " + ".join(["(text LIKE '%' || ? || '%')"] * len(words))
        rows = self._database.execute(
            f"SELECT id, text FROM notes WHERE {condition} > 0 ORDER BY {condition} DESC LIMIT ?",
            (*words, *words, limit),
        )
        return Found(pages=tuple(self._page(*row) for row in rows))

    def close(self) -> None:
        self._pages.close()

    def _page(self, note: int, text: str) -> Page:
        """The note as a page, kept under the digest of its bytes, so that it can be cited."""
        body = text.encode()
        url = f"https://notes.example/{note}"
        return self._pages.put(
            body,
            url=url,
            final_url=url,
            media_type="text/plain",
            fetched_at=datetime.now(UTC),
            extracted=extract(body, name=f"note {note}.txt"),
        )


def main() -> None:
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)")
    database.executemany(
        "INSERT INTO notes (text) VALUES (?)",
        [
            ("The harbour of Port Alder was opened in 1902.",),
            ("The ferry leaves at 07:30.",),
            ("The mayor took office in 2019.",),
            ("A berth is let for 40 a night.",),
        ],
    )
    notes = Notes(database)
    with Leadline(sources=[notes], engine=RuleEngine(), reader="none", embedder="none") as lead:
        print(lead.run(QUESTION).to_markdown())
    notes.close()
    database.close()


if __name__ == "__main__":
    main()
