"""Pages from files of this machine, without an index: read, extracted and kept."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from ..cancellation import Cancellation
from ..errors import ExtractionError, InputError
from ..evidence import Page
from ..progress import Progress, silent
from .corpus_sources import UnreadableFile, file_url, printable, scan
from .extraction import Extracted, extract
from .page_store import PageStore, page_id_of

MAX_FILE_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class FolderPages:
    """What a folder holds."""

    pages: tuple[Page, ...]
    """In the order of their paths; the same bytes under several paths are one page."""
    unreadable: tuple[UnreadableFile, ...]


def page_of_file(path: Path, store: PageStore) -> Page:
    """The text of a file, kept in ``store``. Pipes are read to their end. Blocks.

    Raises:
        InputError: the file is not there, may not be read, or is larger than 64 MiB.
        ExtractionError: there is no text to be had from it.
        StorageError: the disk refused.
    """
    name = printable(os.fspath(path))
    try:
        with open(path, "rb") as stream:
            body = stream.read(MAX_FILE_BYTES + 1)
            modified_at = os.fstat(stream.fileno()).st_mtime
    except OSError as error:
        raise InputError(
            f"cannot read '{name}' ({error.strerror or error})", remedy="check its name and rights"
        ) from error
    return page_of_bytes(
        body,
        store,
        name=name,
        url=file_url(os.path.abspath(path)),
        fetched_at=datetime.fromtimestamp(modified_at, tz=UTC),
    )


def page_of_bytes(
    body: bytes, store: PageStore, *, name: str, url: str, fetched_at: datetime
) -> Page:
    """The text of a document's bytes, kept in ``store``. Blocks.

    ``name`` is what errors say, and the title of a document that has none (its last part); its
    extension tells the kind. Bytes that the store knows are not extracted again.

    Raises:
        InputError: they are more than 64 MiB.
        ExtractionError: there is no text to be had from them.
        StorageError: the disk refused.
    """
    if len(body) > MAX_FILE_BYTES:
        raise InputError(
            f"'{name}' is larger than {MAX_FILE_BYTES // 2**20} MiB", remedy="split it first"
        )
    extracted = _known(body, store) or extract(body, name=name)
    if not extracted.title:
        extracted = replace(extracted, title=os.path.basename(name))
    return store.put(
        body,
        url=url,
        final_url=url,
        media_type=extracted.media_type,
        fetched_at=fetched_at,
        extracted=extracted,
    )


def pages_of_folder(
    folder: Path, store: PageStore, *, cancel: Cancellation, progress: Progress = silent
) -> FolderPages:
    """Every file of a folder that has text, hidden and ignored ones left out. Blocks.

    Raises:
        InputError: there is no file with text among them.
        CorpusError: the folder cannot be read.
        StorageError: the disk refused.
        Cancelled: ``cancel`` was set meanwhile.
    """
    pages: dict[str, Page] = {}
    unreadable: list[UnreadableFile] = []
    files = list(scan(folder))
    for number, file in enumerate(files):
        cancel.check()
        progress("opening", number, len(files), "files")
        if isinstance(file, UnreadableFile):
            unreadable.append(replace(file, path=printable(file.path)))
            continue
        path = Path(file.path)
        try:
            page = page_of_file(path, store)
        except (InputError, ExtractionError) as error:
            name = printable(os.fspath(path))
            unreadable.append(UnreadableFile(name, _reason(error, name)))
        else:
            pages.setdefault(page.page_id, page)
    progress("opening", len(files), len(files), "files")
    if not pages:
        raise _nothing_readable(printable(os.fspath(folder)), unreadable)
    return FolderPages(tuple(pages.values()), tuple(unreadable))


def _known(body: bytes, store: PageStore) -> Extracted | None:
    page_id = page_id_of(body)
    return Extracted.of(store.get(page_id)) if page_id in store else None


def _reason(error: InputError | ExtractionError, name: str) -> str:
    """The problem without the file's name, which is told beside it."""
    return error.problem.replace(f"cannot read '{name}'", "unreadable").removeprefix(f"'{name}' ")


def _nothing_readable(folder: str, unreadable: Sequence[UnreadableFile]) -> InputError:
    remedy = "give a folder with text, Markdown, HTML or PDF files"
    if not unreadable:
        return InputError(f"'{folder}' holds no files", remedy=remedy)
    reasons = Counter(file.problem for file in unreadable).most_common(3)
    told = ", ".join(f"{count} × {reason}" for reason, count in reasons)
    return InputError(f"'{folder}' holds no file with text ({told})", remedy=remedy)
