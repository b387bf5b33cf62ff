"""The pages at a path or an address, opened and kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..cancellation import Cancellation
from ..errors import InputError
from ..evidence import Page
from ..locations import locations
from ..progress import Progress, silent
from ..threads import in_thread
from .corpus_sources import printable
from .fetch import Fetcher
from .local_files import FolderPages, page_of_file, pages_of_folder
from .network_guard import NetworkGuard
from .page_store import PageStore
from .web_pages import Reuse, WebPages


async def pages_at(
    source: str,
    store: PageStore,
    *,
    allow_hosts: Sequence[str] = (),
    reuse: Reuse,
    cancel: Cancellation,
    progress: Progress = silent,
) -> FolderPages:
    """What is at ``source``: a file, every file of a folder, or an http(s) address.

    Raises:
        InputError: there is nothing at ``source``, or nothing with text.
        ExtractionError: the file has no text.
        FetchError: the address cannot be fetched.
        StorageError: the disk refused.
        Cancelled: ``cancel`` was set meanwhile.
    """
    if source.lower().startswith(("http://", "https://")):
        guard = NetworkGuard(allow_hosts=allow_hosts)
        async with Fetcher(guard, cache=locations().web) as fetcher:
            return _one(await WebPages(fetcher, store, reuse).open(source, cancel=cancel))
    return await in_thread(lambda stop: _local(source, store, stop, progress), cancel=cancel)


def _local(source: str, store: PageStore, cancel: Cancellation, progress: Progress) -> FolderPages:
    path = Path(source)
    if path.is_dir():
        return pages_of_folder(path, store, cancel=cancel, progress=progress)
    if not path.exists():
        raise InputError(
            f"there is no file or folder '{printable(source)}'",
            remedy="name one, give a full http(s) address, or - for standard input",
        )
    return _one(page_of_file(path, store))


def _one(page: Page) -> FolderPages:
    return FolderPages((page,), ())
