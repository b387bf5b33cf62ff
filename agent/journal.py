"""What a run has finished, kept as it is finished: model answers, searches, readings.

Checkpoints are written between steps, and a step may ask a model ten times or fetch twenty pages.
A run that was killed in the middle of one does the step again, and finds here what it had done.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter

from ..cancellation import Cancellation
from ..errors import LeadlineError
from ..evidence import Page
from ..progress import Progress, silent
from ..runtime.engine import Engine, Generation, GenerationRequest, TextDelta
from ..runtime.reader import Reader, Reading, ReadingBudget
from ..tools.database import Database
from .sources import ChoosingSource, Found, Recalled, Source
from .toolbox import PageLookup, Toolbox
from .wrapped_engine import WrappedEngine

T = TypeVar("T")

_SCHEMA = """CREATE TABLE finished (
    work TEXT PRIMARY KEY,
    result TEXT NOT NULL
) WITHOUT ROWID"""

_REQUEST = TypeAdapter(GenerationRequest)
_GENERATION = TypeAdapter(Generation)
_READINGS = TypeAdapter(list[Reading])
_FOUND = TypeAdapter(tuple[tuple[str, ...], tuple[str, ...], tuple[Recalled, ...]])


class Journal:
    """Results by the work that they are of, in the SQLite file at ``path``.

    It gives what was kept before it was opened: work that is done twice on purpose, because a
    person asks again or other evidence was sought, is done.

    Raises:
        StorageError: the file cannot be opened, is damaged, or is of another version.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, _SCHEMA, user_version=1)
        self._kept: set[str] = set()
        """What was kept since."""

    def find(self, work: str, adapter: TypeAdapter[T]) -> T | None:
        """The result of ``work``, if it was finished before this was opened."""
        if _digest(work) in self._kept:
            return None
        with self._database.errors():
            row = self._database.connection.execute(
                "SELECT result FROM finished WHERE work = ?", (_digest(work),)
            ).fetchone()
        return None if row is None else adapter.validate_json(row[0])

    def keep(self, work: str, result: T, adapter: TypeAdapter[T]) -> None:
        """Keep ``result``; once this returns it survives the end of the process."""
        self._kept.add(_digest(work))
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO finished VALUES (?, ?)",
                (_digest(work), adapter.dump_json(result).decode()),
            )

    def close(self) -> None:
        self._database.close()


@contextlib.contextmanager
def journaled(box: Toolbox, path: Path) -> Iterator[Toolbox]:
    """``box``, whose engine, reader and sources remember at ``path`` what they have finished.

    Raises:
        StorageError: the file cannot be opened, is damaged, or is of another version.
    """
    with contextlib.closing(Journal(path)) as journal:
        yield replace(
            box,
            engine=JournaledEngine(box.engine, journal),
            reader=JournaledReader(box.reader, journal),
            sources=[JournaledSource(source, journal, box.pages) for source in box.sources],
        )


class JournaledEngine(WrappedEngine):
    """Passes requests on to ``engine``, but those that were answered before.

    A request without a seed is to be answered anew each time, and is always passed on.
    """

    def __init__(self, engine: Engine, journal: Journal) -> None:
        super().__init__(engine)
        self._journal = journal

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        work = f"generate {self.model_id} {_REQUEST.dump_json(request).decode()}"
        repeatable = request.seed is not None
        if repeatable and (generation := self._journal.find(work, _GENERATION)):
            cancel.check()
            yield TextDelta(generation.text)
            yield generation
            return
        async for item in super().stream(request, cancel=cancel):
            if isinstance(item, Generation) and repeatable:
                self._journal.keep(work, item, _GENERATION)
            yield item


class JournaledSource:
    """Asks ``source``, but what was found before is taken from ``pages``."""

    def __init__(self, source: Source, journal: Journal, pages: PageLookup) -> None:
        self._source, self._journal, self._pages = source, journal, pages

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def chooses(self) -> bool:
        return isinstance(self._source, ChoosingSource) and self._source.chooses

    def needing(self, need: str) -> Source:
        if not isinstance(self._source, ChoosingSource):
            return self
        return JournaledSource(self._source.needing(need), self._journal, self._pages)

    async def find(self, query: str, *, limit: int, cancel: Cancellation) -> Found:
        """See :meth:`leadline.agent.sources.Source.find`."""
        work = f"find {self.name} {limit} {query}"
        if kept := self._journal.find(work, _FOUND):
            page_ids, warnings, recalled = kept
            cancel.check()
            pages = await asyncio.to_thread(self._kept_pages, page_ids)
            if pages is not None:
                return Found(pages, warnings, recalled)
        found = await self._source.find(query, limit=limit, cancel=cancel)
        page_ids = tuple(page.page_id for page in found.pages)
        self._journal.keep(work, (page_ids, found.warnings, found.recalled), _FOUND)
        return found

    def _kept_pages(self, page_ids: Sequence[str]) -> tuple[Page, ...] | None:
        """None where a page is no longer kept: then it is searched for again."""
        try:
            return tuple(self._pages.get(page_id) for page_id in page_ids)
        except LeadlineError:
            return None


class JournaledReader:
    """Reads with ``reader`` what was not read before."""

    def __init__(self, reader: Reader, journal: Journal) -> None:
        self._reader, self._journal = reader, journal

    @property
    def model_id(self) -> str:
        return self._reader.model_id

    async def read(
        self,
        questions: Sequence[str],
        pages: Sequence[Page],
        *,
        budget: ReadingBudget,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[Reading]:
        """See :meth:`leadline.runtime.reader.Reader.read`."""
        page_ids = [page.page_id for page in pages]
        work = f"read {self.model_id} {questions} {page_ids} {asdict(budget)}"
        if (kept := self._journal.find(work, _READINGS)) is not None:
            cancel.check()
            return kept
        readings = await self._reader.read(
            questions, pages, budget=budget, cancel=cancel, progress=progress
        )
        self._journal.keep(work, readings, _READINGS)
        return readings


def _digest(work: str) -> str:
    return hashlib.sha256(work.encode("utf-8", "surrogatepass")).hexdigest()
