"""The user's corpora, by name."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import CorpusError
from ..locations import locations, make_private
from ..storage import storage_errors
from .corpus import Corpus
from .corpus_manifest import (
    DEFAULT_MAX_FILE_BYTES,
    DEFAULT_MAX_PAGES,
    MANIFEST_FILE,
    CorpusManifest,
    corpus_names,
)
from .corpus_sources import printable
from .page_store import PageStore
from .vector_index import Embedder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class CorpusCatalogue:
    """Corpora under one folder, each in a folder of its name."""

    def __init__(
        self,
        *,
        store: PageStore | None = None,
        embedder: Embedder | None = None,
        folder: Path | None = None,
    ) -> None:
        self._folder = folder or locations().corpora
        self._store = PageStore() if store is None else store
        self._embedder = embedder

    def add(
        self,
        name: str,
        origin: str,
        *,
        max_pages: int = DEFAULT_MAX_PAGES,
        max_file_bytes: int = DEFAULT_MAX_FILE_BYTES,
        embeddings: bool = True,
    ) -> Corpus:
        """A corpus of a folder's path or a site's URL; nothing is indexed yet.

        One that exists with the same origin is opened, with these limits from now on.

        Raises:
            CorpusError: the name is no name or taken, or there is nothing at ``origin``.
            StorageError: the disk refused.
        """
        manifest = CorpusManifest(
            name=_checked(name),
            kind="site" if _is_url(origin) else "folder",
            origin=origin if _is_url(origin) else _existing(origin),
            created_at=datetime.now(UTC),
            max_pages=max_pages,
            max_file_bytes=max_file_bytes,
            embeddings=embeddings,
        )
        folder = self._folder / name
        if (folder / MANIFEST_FILE).exists():
            before = CorpusManifest.load(folder)
            if before.origin != manifest.origin:
                raise CorpusError(
                    f"corpus '{name}' exists already, of {before.origin}",
                    remedy=f"choose another name, or `leadline corpus rm {name}` first",
                )
            limits = {"max_pages", "max_file_bytes", "embeddings"}
            manifest = before.model_copy(update=manifest.model_dump(include=limits))
        make_private(folder)
        manifest.save(folder)
        return self.open(name)

    def open(self, name: str) -> Corpus:
        """The corpus of that name.

        Raises:
            CorpusError: there is none, or it cannot be read.
        """
        return Corpus(self._folder / _checked(name), store=self._store, embedder=self._embedder)

    def open_directory(self, path: str) -> Corpus:
        """The corpus of a directory, named after its path; made when there is none yet.

        Raises:
            CorpusError: there is no such directory.
        """
        resolved = _existing(path)
        digest = hashlib.sha256(os.fsencode(resolved)).hexdigest()[:8]
        stem = re.sub(r"[^A-Za-z0-9._-]+", "-", os.path.basename(resolved)).strip("-._") or "root"
        return self.add(f"{stem[:48]}-{digest}", resolved)

    def open_any(self, name_or_directory: str) -> Corpus:
        """The corpus of that name or, where none has it, of that directory.

        Raises:
            CorpusError: it is neither.
        """
        if _NAME.fullmatch(name_or_directory) and name_or_directory in self.names():
            return self.open(name_or_directory)
        if os.path.isdir(name_or_directory) or os.sep in name_or_directory:
            return self.open_directory(name_or_directory)
        return self.open(name_or_directory)

    def names(self) -> list[str]:
        """The corpora there are, in alphabetical order."""
        return corpus_names(self._folder)

    def page_ids(self) -> set[str]:
        """The pages that any corpus has.

        Raises:
            CorpusError: a corpus cannot be read.
        """
        found: set[str] = set()
        for name in self.names():
            corpus = self.open(name)
            try:
                found |= corpus.page_ids()
            finally:
                corpus.close()
        return found

    def remove(self, name: str) -> None:
        """Remove a corpus's index; its pages stay in the page store, for the runs that cite them.

        Raises:
            CorpusError: there is none of that name.
            StorageError: the disk refused.
        """
        folder = self._folder / _checked(name)
        if not (folder / MANIFEST_FILE).exists():
            CorpusManifest.load(folder)
        with storage_errors(folder):
            # Without its manifest a folder is no corpus, whatever happens to the rest.
            (folder / MANIFEST_FILE).unlink()
            shutil.rmtree(folder)


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise CorpusError(
            f"'{name}' cannot be the name of a corpus",
            remedy="use up to 64 letters, digits, dots, dashes and underscores",
        )
    return name


def _is_url(origin: str) -> bool:
    return urlsplit(origin).scheme in ("http", "https")


def _existing(path: str) -> str:
    resolved = os.path.realpath(os.path.expanduser(path))
    if not os.path.exists(resolved):
        raise CorpusError(
            f"there is no folder or file '{path}'", remedy="give a folder that exists, or a URL"
        )
    try:
        resolved.encode()
    except UnicodeEncodeError as error:
        raise CorpusError(
            f"the path {printable(resolved)} is not UTF-8", remedy="rename it, or link to it"
        ) from error
    return resolved
