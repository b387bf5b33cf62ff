"""What a file, a page of the web, a folder or standard input says to questions."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..agent.assembly import open_embedder, open_reader
from ..cancellation import Cancellation
from ..errors import ConfigError, InputError
from ..evidence import Page
from ..locations import locations
from ..progress import Progress
from ..runtime.catalogue import resolve
from ..runtime.heatmap import HeadMap, Looker
from ..runtime.reader import FIRST_STAGE_IDS, Reader, Reading, ReadingBudget
from ..safe_text import safe_line
from ..settings import Settings
from ..threads import in_thread
from ..tools.fetch import Fetcher
from ..tools.local_files import FolderPages, page_of_bytes, page_of_file, pages_of_folder
from ..tools.network_guard import NetworkGuard
from ..tools.page_store import PageStore
from ..tools.web_pages import Reuse, WebPages
from .terminal import warn

STDIN = "-"
_STDIN_NAME, _STDIN_URL = "standard input", "file:///dev/stdin"


@dataclass(frozen=True, slots=True)
class ReadingRequest:
    """What is read, for what, and with what."""

    source: str
    """A path, an http(s) address, or :data:`STDIN`."""
    stdin: bytes
    """What came from there."""
    questions: tuple[str, ...]
    budget: ReadingBudget
    settings: Settings
    look: bool
    """Whether to measure what the heads look at for the first question."""


@dataclass(frozen=True, slots=True)
class ReadingOutcome:
    """What came of it."""

    found: FolderPages
    readings: list[Reading]
    """One for each question."""
    model_id: str
    head_map: HeadMap | None


async def read_source(
    request: ReadingRequest, cancel: Cancellation, progress: Progress
) -> ReadingOutcome:
    """Open the source, keep its pages, read them.

    Raises:
        InputError: there is nothing at the source, or nothing with text.
        ExtractionError: the file has no text.
        FetchError: the address cannot be fetched.
        ConfigError: the reader cannot show what it looks at.
        ModelError: the reader's model is not here or cannot be used.
        Cancelled: ``cancel`` was set meanwhile.
    """
    settings = request.settings
    # A missing model is found out before anything is fetched.
    files = None if settings.reader in FIRST_STAGE_IDS else resolve(settings.reader)
    if request.look and files is None:
        raise ConfigError(
            f"the reader {settings.reader!r} has no attention to draw",
            remedy="leave out --heatmap, or choose a model with --reader",
        )
    store = await asyncio.to_thread(PageStore)
    try:
        found = await _pages(request, store, cancel, progress)
    finally:
        store.close()
    embedder = await open_embedder(settings, warn=warn)
    reader = await open_reader(files, embedder, cancel=cancel, progress=progress)
    readings = await reader.read(
        request.questions, found.pages, budget=request.budget, cancel=cancel, progress=progress
    )
    head_map = None
    if request.look:
        head_map = await _look(reader, request, found.pages, readings[0], cancel)
    return ReadingOutcome(found, readings, reader.model_id, head_map)


async def _pages(
    request: ReadingRequest, store: PageStore, cancel: Cancellation, progress: Progress
) -> FolderPages:
    if request.source.lower().startswith(("http://", "https://")):
        page = await _fetched(request.source, store, request.settings, cancel)
        return FolderPages((page,), ())
    return await in_thread(lambda stop: _local_pages(request, store, stop, progress), cancel=cancel)


def _local_pages(
    request: ReadingRequest, store: PageStore, cancel: Cancellation, progress: Progress
) -> FolderPages:
    path = Path(request.source)
    if request.source == STDIN:
        page = page_of_bytes(
            request.stdin,
            store,
            name=_STDIN_NAME,
            url=_STDIN_URL,
            fetched_at=datetime.now(UTC),
        )
    elif path.is_dir():
        return pages_of_folder(path, store, cancel=cancel, progress=progress)
    elif not path.exists():
        raise InputError(
            f"there is no file or folder '{safe_line(request.source)}'",
            remedy="name one, give a full http(s) address, or - for standard input",
        )
    else:
        page = page_of_file(path, store)
    return FolderPages((page,), ())


async def _fetched(
    url: str,
    store: PageStore,
    settings: Settings,
    cancel: Cancellation,
) -> Page:
    reuse = Reuse(seconds=settings.reuse_seconds, offline=settings.offline)
    guard = NetworkGuard(allow_hosts=settings.allow_hosts)
    async with Fetcher(guard, cache=locations().web) as fetcher:
        return await WebPages(fetcher, store, reuse).open(url, cancel=cancel)


async def _look(
    reader: Reader,
    request: ReadingRequest,
    pages: Sequence[Page],
    reading: Reading,
    cancel: Cancellation,
) -> HeadMap:
    if not isinstance(reader, Looker):
        raise ConfigError(
            f"the reader {reader.model_id!r} does not show what its heads look at",
            remedy="leave out --heatmap, or choose another with --reader",
        )
    return await reader.look(
        request.questions[0], pages, reading.evidence, budget=request.budget, cancel=cancel
    )
