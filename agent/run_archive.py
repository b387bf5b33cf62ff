"""A run with its pages in one file, for another machine to replay and verify.

A ZIP file: ``run.json``, ``events.jsonl``, ``report.json``; for each page ``pages/ID.json`` (its
address, date and text) and ``pages/ID.raw`` (the bytes as fetched); ``archive.json`` with the
SHA-256 of each. Checkpoints stay behind: they are of use to the machine that made them only.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ..errors import ExtractionError, InputError, RunError
from ..evidence import Citation, Page
from ..locations import make_private
from ..storage import replacing, storage_errors
from ..tools.extraction import Extracted, extract
from ..tools.page_store import PageStore, page_id_of
from .events import EvidenceFound, PageRead, parse_event
from .report import Report
from .run_store import RunFolder, RunRecord, RunStore

_RUN_FILES = ("run.json", "events.jsonl", "report.json")
_MANIFEST = "archive.json"
_PAGE_FILE = re.compile(r"pages/([0-9a-f]{64})\.(json|raw)")
_RUN_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
_MOST_PAGES = 10_000
_MOST_BYTES = 256 * 1024 * 1024
"""Of one file, unpacked."""


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    run_id: str
    sha256: dict[str, str]
    """By file name."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What went into an archive."""

    run_id: str
    pages: int
    missing: tuple[str, ...]
    """Pages that the run read but did not cite and that are no longer kept."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What came out of an archive, and how far it was borne out."""

    run_id: str
    pages: int
    quotes: int
    """Cited quotes that stand in their pages to the letter."""
    differing: tuple[str, ...]
    """Pages whose text is another when it is extracted here; their cited quotes hold all the same."""


def export_run(folder: RunFolder, store: PageStore, path: Path) -> Exported:
    """Write a finished run and every page that it read to ``path``. Blocks.

    Raises:
        RunError: the run is unfinished or damaged, or a page that it cites is gone.
        StorageError: the disk refused; nothing was written.
    """
    report = folder.report
    if report is None:
        raise RunError(
            f"run {folder.path.name} is unfinished",
            remedy=f"go on with it: leadline runs resume {folder.path.name}",
        )
    cited = {citation.page_id: citation.url for citation in _citations(report)}
    read = _read(folder) | cited
    kept = [page_id for page_id in sorted(read) if page_id in store]
    if gone := cited.keys() - set(kept):
        raise RunError(
            f"run {report.run_id} cites {len(gone)} pages that are no longer kept",
            remedy="see `leadline pages check`",
        )
    with replacing(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        digests: dict[str, str] = {}

        def add(name: str, data: bytes) -> None:
            digests[name] = hashlib.sha256(data).hexdigest()
            archive.writestr(name, data)

        for name in _RUN_FILES:
            with storage_errors(folder.path / name):
                add(name, (folder.path / name).read_bytes())
        for page_id in kept:
            page = page_as_read(store, page_id, read[page_id])
            add(f"pages/{page_id}.json", page.model_dump_json().encode())
            add(f"pages/{page_id}.raw", store.raw(page_id))
        manifest = _Manifest(run_id=report.run_id, sha256=digests)
        archive.writestr(_MANIFEST, manifest.model_dump_json())
    missing = tuple(sorted(read.keys() - set(kept)))
    return Exported(report.run_id, len(kept), missing)


def import_run(path: Path, runs: RunStore, store: PageStore) -> Imported:
    """Verify the archive at ``path`` and keep its run and its pages. Blocks.

    Verified are every digest; that each page's bytes are those that it is named after; and that
    each quote of the report stands in its page, in the text that extraction *here* makes of the
    bytes. Texts that an archive brings are compared with that, and never kept themselves: the
    page store would give them to later runs.

    Raises:
        InputError: the file cannot be read, or is no archive of a run.
        RunError: something in it is not borne out, or the run is here already; nothing was kept.
        StorageError: the disk refused.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _Import(archive, path).into(runs, store)
    except FileNotFoundError as error:
        raise InputError(f"there is no file '{path}'", remedy="check its name") from error
    except (zipfile.BadZipFile, ValidationError, EOFError, NotImplementedError) as error:
        raise InputError(
            f"'{path}' is not the archive of a run", remedy="make one: leadline runs export"
        ) from error
    except OSError as error:
        raise InputError(
            f"cannot read '{path}' ({error.strerror or error})", remedy="check its rights"
        ) from error


class _Import:
    """An opened archive, nothing of which is trusted."""

    def __init__(self, archive: zipfile.ZipFile, path: Path) -> None:
        self._archive, self._path = archive, path
        self._manifest = _Manifest.model_validate_json(self._unpacked(_MANIFEST))
        names = archive.namelist()
        unknown = set(names) - {_MANIFEST} - set(self._manifest.sha256)
        if unknown or len(names) != len(set(names)) or len(names) > 2 * _MOST_PAGES:
            raise self._refused("it holds files that it does not list")

    def into(self, runs: RunStore, store: PageStore) -> Imported:
        files = {name: self._file(name) for name in _RUN_FILES}
        record = RunRecord.model_validate_json(files["run.json"])
        report = Report.model_validate_json(files["report.json"])
        run_id = self._manifest.run_id
        events = [parse_event(line) for line in files["events.jsonl"].splitlines()]
        named = {record.run_id, report.run_id, *(event.run_id for event in events)}
        if named != {run_id} or not _RUN_ID.fullmatch(run_id):
            raise self._refused("its parts are of different runs")
        pages = self._pages(store)
        citations = _citations(report)
        for citation in citations:
            entry = pages.get(citation.page_id)
            if entry is None or not entry.page.holds(citation) or citation.url not in entry.urls:
                raise self._refused(
                    f"a quote does not stand in the page that it cites ({citation.page_id[:12]})"
                )
        folder = runs.reserve(run_id)
        for entry in pages.values():
            entry.keep(store)
        _install(files, folder)
        differing = tuple(page_id for page_id, entry in pages.items() if entry.differs)
        return Imported(run_id, len(pages), len(citations), differing)

    def _pages(self, store: PageStore) -> dict[str, _ArchivedPage]:
        pages: dict[str, _ArchivedPage] = {}
        for name in self._manifest.sha256:
            if name in _RUN_FILES:
                continue
            match = _PAGE_FILE.fullmatch(name)
            if match is None:
                raise self._refused(f"it holds a file {name[:80]!r}")
            page_id, kind = match.groups()
            if kind == "json":
                page = Page.model_validate_json(self._file(name))
                body = self._file(f"pages/{page_id}.raw")
                if not page_id_of(body) == page_id == page.page_id:
                    raise self._refused(
                        f"page {page_id[:12]} has other bytes than it was named after"
                    )
                pages[page_id] = self._archived(page, body, store)
        return pages

    def _archived(self, page: Page, body: bytes, store: PageStore) -> _ArchivedPage:
        if page.page_id in store:
            extracted = Extracted.of(store.get(page.page_id))
        else:
            try:
                extracted = extract(body, name=page.final_url, media_type=page.media_type)
            except ExtractionError as error:
                raise self._refused(f"page {page.page_id[:12]} cannot be read here") from error
            if not extracted.title:
                extracted = replace(extracted, title=page.title)
        return _ArchivedPage(page, body, extracted)

    def _file(self, name: str) -> bytes:
        data = self._unpacked(name)
        if hashlib.sha256(data).hexdigest() != self._manifest.sha256.get(name):
            raise self._refused(f"{name} was altered")
        return data

    def _unpacked(self, name: str) -> bytes:
        try:
            with self._archive.open(name) as file:
                data = file.read(_MOST_BYTES + 1)
        except (KeyError, RuntimeError) as error:  # not there, or encrypted
            raise self._refused(f"it has no {name}") from error
        except Exception as error:  # zlib's and others' errors for damaged members
            raise self._refused(f"{name} is damaged") from error
        if len(data) > _MOST_BYTES:
            raise self._refused(f"{name} is larger than {_MOST_BYTES // 2**20} MiB")
        return data

    def _refused(self, reason: str) -> RunError:
        return RunError(
            f"'{self._path}' cannot be trusted, {reason}", remedy="have the run exported again"
        )


@dataclass(frozen=True, slots=True)
class _ArchivedPage:
    """A page of an archive, and the text that its bytes have here."""

    archived: Page
    body: bytes
    extracted: Extracted

    @property
    def page(self) -> Page:
        return self.archived.model_copy(update={"text": self.extracted.text})

    @property
    def urls(self) -> tuple[str, str]:
        return self.archived.url, self.archived.final_url

    @property
    def differs(self) -> bool:
        return self.archived.text != self.extracted.text

    def keep(self, store: PageStore) -> None:
        store.put(
            self.body,
            url=self.archived.url,
            final_url=self.archived.final_url,
            media_type=self.extracted.media_type,
            fetched_at=self.archived.fetched_at,
            extracted=self.extracted,
            imported=True,
        )


def _install(files: dict[str, bytes], folder: Path) -> None:
    """The run's folder, there with all its files or not at all."""
    make_private(folder.parent)
    with storage_errors(folder):
        partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".import-"))
        try:
            for name, data in files.items():
                (partial / name).write_bytes(data)
            os.rename(partial, folder)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise


def _citations(report: Report) -> list[Citation]:
    return [citation for claim in report.claims for citation in claim.citations]


def _read(folder: RunFolder) -> dict[str, str]:
    """The pages that the run's events name, and where they were found."""
    pages: dict[str, str] = {}
    for event in folder.events():
        if isinstance(event, PageRead):
            pages[event.page_id] = event.url
        elif isinstance(event, EvidenceFound):
            pages.setdefault(event.evidence.span.page_id, event.url)
    return pages


def page_as_read(store: PageStore, page_id: str, url: str) -> Page:
    """The page as it was found at ``url``, where the same bytes were found elsewhere, too."""
    found_there = (page for page in store.by_url(url) if page.page_id == page_id)
    return next(found_there, None) or store.get(page_id)
