"""The files of a folder corpus."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes, urlsplit

from ..errors import CorpusError

_IGNORED_FOLDERS = frozenset({"__pycache__", "node_modules"})
"""Made by tools, not written by people. Hidden folders are left out as well."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A regular file as the scan saw it."""

    path: str
    url: str
    size: int
    modified_ns: int


@dataclass(frozen=True, slots=True)
class UnreadableFile:
    """A file or folder that the scan could not look at."""

    path: str
    problem: str


def scan(root: Path) -> Iterator[SourceFile | UnreadableFile]:
    """The files under ``root`` in a settled order, hidden and ignored ones left out.

    Symbolic links are followed; a folder or a file that several paths lead to is seen once, so
    that loops end.

    Raises:
        CorpusError: there is nothing at ``root``, or it cannot be read.
    """
    try:
        if not root.is_dir():
            yield _file(os.fspath(root))
            return
        os.listdir(root)
    except OSError as error:
        raise CorpusError(
            f"cannot read {printable(os.fspath(root))} ({error.strerror})",
            remedy="give a folder or a file that can be read",
        ) from error
    seen: set[tuple[int, int]] = set()
    _first_time(os.fspath(root), seen)
    problems: list[UnreadableFile] = []

    def unreadable(error: OSError) -> None:
        problems.append(UnreadableFile(str(error.filename), error.strerror or str(error)))

    for folder, folders, names in os.walk(root, followlinks=True, onerror=unreadable):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _IGNORED_FOLDERS
            and _first_time(os.path.join(folder, name), seen)
        )
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.startswith("."):
                continue
            try:
                if stat.S_ISREG(os.stat(path).st_mode) and _first_time(path, seen):
                    yield _file(path)
            except OSError as error:
                yield UnreadableFile(path, error.strerror or str(error))
    yield from problems


def file_url(path: str) -> str:
    """The file URL of an absolute path, whatever bytes its name has."""
    return f"file://{quote_from_bytes(os.fsencode(path))}"


def path_of(url: str) -> str:
    """The path that a file URL names."""
    return os.fsdecode(unquote_to_bytes(urlsplit(url).path))


def printable(path: str) -> str:
    """``path`` for messages: bytes that are no text become U+FFFD."""
    return os.fsencode(path).decode("utf-8", "replace")


def _file(path: str) -> SourceFile:
    status = os.stat(path)
    return SourceFile(path, file_url(path), status.st_size, status.st_mtime_ns)


def _first_time(path: str, seen: set[tuple[int, int]]) -> bool:
    try:
        status = os.stat(path)
    except OSError:
        return True  # The walk, or whoever opens it, reports what is wrong with it.
    identity = status.st_dev, status.st_ino
    new = identity not in seen
    seen.add(identity)
    return new
