"""Bringing a corpus's index up to date with its folder or site, document by document.

Every document is one transaction, so that an update that was stopped goes on where it was.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..cancellation import Cancellation
from ..errors import ExtractionError, FetchError
from ..progress import Progress
from .corpus_index import CorpusIndex, Document
from .corpus_manifest import CorpusManifest, IndexReport, Skipped
from .corpus_sources import SourceFile, UnreadableFile, printable, scan
from .extraction import extract
from .page_store import PageStore, page_id_of
from .site_crawl import FetchedBody, PageFetcher, crawl


@dataclass(slots=True)
class _Updater:
    """Takes documents one by one into the store and the index, and counts."""

    manifest: CorpusManifest
    index: CorpusIndex
    store: PageStore
    report: IndexReport
    known: dict[str, Document]

    def take(
        self,
        url: str,
        body: bytes,
        *,
        name: str,
        fetched_at: datetime,
        final_url: str | None = None,
        media_type: str = "",
        charset: str | None = None,
        modified_ns: int = 0,
    ) -> None:
        """Index what is at ``url`` now, unless it is what was there before."""
        size, before = len(body), self.known.get(url)
        if before is not None and before.page_id == page_id_of(body):
            self.index.touch(url, size=size, modified_ns=modified_ns)
            self.report.unchanged += 1
            return
        try:
            extracted = extract(body, name=name, media_type=media_type, charset=charset)
        except ExtractionError as error:
            self.skip(url, name, _reason(error, name), size=size, modified_ns=modified_ns)
            return
        page = self.store.put(
            body,
            url=url,
            final_url=final_url or url,
            media_type=extracted.media_type,
            fetched_at=fetched_at,
            extracted=extracted if extracted.title else replace(extracted, title=_title_from(url)),
        )
        self.index.set_page(url, page, size=size, modified_ns=modified_ns)
        self.report.added += 1

    def skip(self, url: str, path: str, reason: str, *, size: int, modified_ns: int) -> None:
        """Leave a document out, and remember it until it changes."""
        self.index.set_problem(url, reason, size=size, modified_ns=modified_ns)
        self.report.skipped.append(Skipped(path, reason))

    def forget(self, gone: set[str]) -> None:
        self.index.remove(sorted(gone))
        self.report.removed += len(gone)


def update_folder(
    manifest: CorpusManifest,
    index: CorpusIndex,
    store: PageStore,
    *,
    cancel: Cancellation,
    progress: Progress,
) -> IndexReport:
    """Index the new and the changed files of a folder, and forget those that are gone.

    Raises:
        CorpusError: the folder cannot be read.
        StorageError: the disk refused; what is indexed so far stays.
        Cancelled: ``cancel`` was set; what is indexed so far stays.
    """
    updater = _Updater(manifest, index, store, IndexReport(), index.documents())
    files = list(_readable(manifest, updater.report))
    updater.forget(updater.known.keys() - {file.url for file in files})
    for number, file in enumerate(files):
        cancel.check()
        progress(f"indexing {manifest.name}", number, len(files), "pages")
        _take_file(updater, file)
    if files:
        progress(f"indexing {manifest.name}", len(files), len(files), "pages")
    return updater.report


def _readable(manifest: CorpusManifest, report: IndexReport) -> Iterator[SourceFile]:
    for found in scan(Path(manifest.origin)):
        if isinstance(found, UnreadableFile):
            report.skipped.append(Skipped(printable(found.path), f"unreadable: {found.problem}"))
        else:
            yield found


def _take_file(updater: _Updater, file: SourceFile) -> None:
    limit, report = updater.manifest.max_file_bytes, updater.report
    name = printable(os.path.relpath(file.path, _base(updater.manifest)))
    before = updater.known.get(file.url)
    if file.size > limit:
        reason = f"larger than {_size(limit)}"
        updater.skip(file.url, name, reason, size=file.size, modified_ns=file.modified_ns)
        return
    if before and (before.size, before.modified_ns) == (file.size, file.modified_ns):
        if before.problem is None:
            report.unchanged += 1
        else:
            report.skipped.append(Skipped(name, before.problem))
        return
    try:
        with open(file.path, "rb") as stream:
            body = stream.read(limit + 1)
    except OSError as error:
        updater.index.remove([file.url])
        report.skipped.append(Skipped(name, f"unreadable: {error.strerror or error}"))
        return
    fetched_at = datetime.fromtimestamp(file.modified_ns / 1e9, tz=UTC)
    updater.take(file.url, body, name=name, fetched_at=fetched_at, modified_ns=file.modified_ns)


async def update_site(
    manifest: CorpusManifest,
    index: CorpusIndex,
    store: PageStore,
    fetcher: PageFetcher,
    *,
    cancel: Cancellation,
    progress: Progress,
) -> IndexReport:
    """Crawl a site and index its pages; after a crawl to the end, forget those that are gone.

    Pages that an earlier, unfinished first crawl has stored are not fetched again. A page that
    cannot be fetched stays as it was indexed, and is told as skipped.

    Raises:
        CorpusError: the start is no URL.
        StorageError: the disk refused; what is indexed so far stays.
        Cancelled: ``cancel`` was set; what is indexed so far stays.
    """
    from asyncio import to_thread

    updater = _Updater(manifest, index, store, IndexReport(), index.documents())
    resuming = manifest.indexed_at is None

    def stored(url: str) -> FetchedBody | None:
        document = updater.known.get(url)
        if not resuming or document is None or document.page_id is None:
            return None
        return _StoredBody.of(store, document.page_id, url)

    seen: set[str] = set()
    pages = crawl(
        manifest.origin, fetcher, max_pages=manifest.max_pages, cancel=cancel, stored=stored
    )
    async for url, page in pages:
        seen.add(url)
        progress(f"indexing {manifest.name}", len(seen), None, "pages")
        if isinstance(page, FetchError):
            updater.report.skipped.append(Skipped(url, page.problem))
            continue
        await to_thread(
            updater.take,
            url,
            page.body,
            name=url,
            fetched_at=page.fetched_at,
            final_url=page.final_url,
            media_type=page.media_type,
            charset=page.charset,
        )
    if len(seen) < manifest.max_pages:
        updater.forget(updater.known.keys() - seen)
    progress(f"indexing {manifest.name}", len(seen), len(seen), "pages")
    return updater.report


@dataclass(frozen=True, slots=True)
class _StoredBody:
    """A page of the store in the shape of a fetched one."""

    url: str
    final_url: str
    media_type: str
    charset: str | None
    body: bytes
    fetched_at: datetime

    @classmethod
    def of(cls, store: PageStore, page_id: str, url: str) -> _StoredBody:
        page, body = store.get(page_id), store.raw(page_id)
        return cls(url, url, page.media_type, None, body, page.fetched_at)


def _base(manifest: CorpusManifest) -> str:
    origin = manifest.origin
    return origin if os.path.isdir(origin) else os.path.dirname(origin)


def _title_from(url: str) -> str:
    """A document's file name, for one that has no title."""
    path = urlsplit(url).path
    return unquote(os.path.basename(path.rstrip("/"))) or url


def _reason(error: ExtractionError, name: str) -> str:
    """The error without the document's name, which the report says beside it."""
    problem = error.problem.removeprefix(f"'{name}' ")
    return f"{problem} ({error.remedy})" if error.remedy else problem


def _size(count: int) -> str:
    return f"{count / 2**20:g} MiB" if count >= 2**20 else f"{count:,} bytes"
