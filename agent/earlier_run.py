"""The pages of an earlier run as a source: what a follow-up question looks at first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from ..cancellation import Cancellation
from ..errors import LeadlineError
from ..evidence import Page
from ..tools.lexical_index import LexicalEntry, LexicalIndex
from .events import PageRead
from .run_store import RunStore
from .sources import MOST_PAGES, Found, filled
from .toolbox import PageLookup


class EarlierRun:
    """The pages that a run read, and those of the runs that it follows, searched by their words.

    Short ones are given beyond the limit until they hold ``least_characters`` together.
    """

    def __init__(
        self, run_id: str, runs: RunStore, pages: PageLookup, *, least_characters: int = 0
    ) -> None:
        self.name = f"run {run_id}"
        self._run_id, self._runs, self._pages = run_id, runs, pages
        self._least_characters = least_characters
        self._read: tuple[list[Page], tuple[str, ...]] | None = None

    async def find(self, query: str, *, limit: int, cancel: Cancellation) -> Found:
        """See :meth:`leadline.agent.sources.Source.find`; pages no longer kept are named once."""

        def look_up() -> Found:
            warnings: tuple[str, ...] = ()
            if self._read is None:
                self._read = _pages_of(self._run_id, self._runs, self._pages)
                warnings = self._read[1]
            best = _best(query, self._read[0], max(limit, MOST_PAGES))
            pages = filled(best, limit, self._least_characters)
            return Found(pages=tuple(pages), warnings=warnings)

        return await asyncio.to_thread(look_up)


def pages_read(run_id: str, runs: RunStore) -> list[str]:
    """Ids of the pages that a run read, and then those of the run that it follows, and so on.

    Raises:
        RunError: there is no such run, or its record is damaged.
    """
    page_ids: dict[str, None] = {}
    seen: set[str] = set()
    following: str | None = run_id
    while following is not None and following not in seen:
        seen.add(following)
        folder = runs.get(following)
        page_ids |= {
            event.page_id: None for event in folder.events() if isinstance(event, PageRead)
        }
        following = folder.record.follows
    return list(page_ids)


def _pages_of(
    run_id: str, runs: RunStore, lookup: PageLookup
) -> tuple[list[Page], tuple[str, ...]]:
    pages: list[Page] = []
    problems: list[str] = []
    for page_id in pages_read(run_id, runs):
        try:
            pages.append(lookup.get(page_id))
        except LeadlineError as error:
            problems.append(str(error))
    return pages, tuple(problems)


def _best(query: str, pages: Sequence[Page], limit: int) -> tuple[Page, ...]:
    entries = [
        LexicalEntry(key=key, text=page.text, title=page.title) for key, page in enumerate(pages)
    ]
    with contextlib.closing(LexicalIndex.in_memory(entries)) as index:
        return tuple(pages[key] for key, _ in index.search(query, limit))
