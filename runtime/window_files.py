"""Windows on disk: one safetensors file each, named after what the window depends on.

A file is written under another name and renamed, and never changed afterwards, so that it can be
mapped: what is mapped stays readable after another process evicted the file. Its time of change is
the time of its last use. Writers of all processes take turns, which keeps the folder below its cap
at every moment; readers wait for nobody.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, uint8

from ..errors import StorageError
from ..locations import make_private
from ..storage import open_lock, storage_errors, try_lock, write_atomically
from .disk_space import require_space
from .stored_window import FORMAT, PackedWindow, Precision, WindowKey

_WINDOW = re.compile(r"(\d+)-[0-9a-f]{64}\.safetensors")
_UNFINISHED = re.compile(r"\.\d+-[0-9a-f]{64}\.safetensors\..+")
_LEFTOVER_SECONDS = 600
"""After it a file that was not finished belongs to a process that is gone."""

_LOCK_SECONDS = 30.0
_LOCK_POLL_SECONDS = 0.01


class _Header(BaseModel):
    """What a file says of its window."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int
    model_sha256: str
    last_layer: int
    dtype: str
    ids_sha256: str
    whole: bool
    precision: Precision
    page_ids: tuple[str, ...]
    columns: tuple[int, int] | None
    asked: str | None


@dataclass(frozen=True, slots=True)
class _Stored:
    """A file of the folder, as it was when the folder was listed."""

    last_use: int
    bytes: int
    path: Path


class WindowFiles:
    """A folder of windows in one precision, of at most ``max_bytes``; safe for several processes.

    A file that is cut short, altered or foreign is a window that is not there, and is removed.
    Contents are checked the first time that this process maps a file. A mapped file that somebody
    else cuts short, or a disk that fails under it, ends the process (SIGBUS), as with any mapping.

    Raises:
        StorageError: the folder cannot be made.
    """

    def __init__(self, folder: Path, *, max_bytes: int, precision: Precision) -> None:
        self._folder = make_private(folder)
        self._max_bytes = max_bytes
        self._precision = precision
        self._checked: set[str] = set()
        self.evictions = 0
        with storage_errors(folder):
            self._sweep()

    def load(self, key: WindowKey) -> PackedWindow | None:
        """The window, mapped, not read; None when there is none that can be used."""
        path = self._path(key)
        try:
            packed = self._mapped(path, key)
        except (SafetensorError, ValueError, KeyError):
            _discard(path)
            return None
        except (OSError, RuntimeError):
            # Not there, or not now: no more files or mappings may be open.
            return None
        self.touch(key)
        return packed

    def will_load(self, key: WindowKey) -> None:
        """Let the system read the window ahead, where it can."""
        if not hasattr(os, "posix_fadvise"):
            return
        with contextlib.suppress(OSError), self._path(key).open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)

    def touch(self, key: WindowKey) -> None:
        """The window was used now."""
        now = time.time_ns()
        # It may have been evicted, or the folder may be another user's.
        with contextlib.suppress(OSError):
            os.utime(self._path(key), ns=(now, now))

    def save(self, key: WindowKey, packed: PackedWindow) -> bool:
        """Write the window, evicting what was not used for longest; False if it is too large.

        A window that is there already keeps its pages in addition, and is written again only for
        new pages or another baseline.

        Raises:
            StorageError: the disk refused, or another process does not let go of the folder.
        """
        path = self._path(key)
        with storage_errors(path), self._turn():
            known = self._known(path)
            if known is not None:
                packed = replace(packed, page_ids=packed.page_ids.union(known.page_ids))
            header = self._header(key, packed)
            if header == known:
                self.touch(key)
                return True
            path.unlink(missing_ok=True)
            content = _serialised(header, packed)
            if not self._make_room(len(content)):
                return False
            require_space(path, len(content))
            write_atomically(path, content)
        self._checked.add(path.name)
        return True

    def forget(self, page_id: str) -> None:
        """Remove every window that a page is part of, of any model.

        Raises:
            StorageError: a file cannot be removed.
        """
        with storage_errors(self._folder):
            for stored in self._listed():
                known = self._known(stored.path)
                if known is not None and page_id in known.page_ids:
                    stored.path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove every window.

        Raises:
            StorageError: a file cannot be removed.
        """
        with storage_errors(self._folder):
            for stored in self._listed():
                stored.path.unlink(missing_ok=True)

    def usage(self) -> tuple[int, int]:
        """Number of windows on disk and their bytes."""
        listed = self._listed()
        return len(listed), sum(stored.bytes for stored in listed)

    def _path(self, key: WindowKey) -> Path:
        content = json.dumps([asdict(key), self._precision], sort_keys=True).encode()
        return self._folder / f"{key.format}-{hashlib.sha256(content).hexdigest()}.safetensors"

    def _mapped(self, path: Path, key: WindowKey) -> PackedWindow:
        """Raises ValueError, KeyError or SafetensorError for a file that cannot be used."""
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            header = _Header.model_validate_json(metadata["window"])
            if any(getattr(header, name) != value for name, value in asdict(key).items()):
                raise ValueError("the file is of another window")
            if header.precision != self._precision:
                raise ValueError("the file is of another precision")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if path.name not in self._checked:
            if metadata["crc32"] != _checksum(metadata["window"], tensors):
                raise ValueError("the file was altered")
            self._checked.add(path.name)
        return PackedWindow(tensors, frozenset(header.page_ids), header.columns, header.asked)

    def _header(self, key: WindowKey, packed: PackedWindow) -> _Header:
        return _Header(
            **asdict(key),
            precision=self._precision,
            page_ids=tuple(sorted(packed.page_ids)),
            columns=packed.columns,
            asked=packed.asked,
        )

    def _known(self, path: Path) -> _Header | None:
        """What the file at ``path`` says of itself; None without one, or if it is damaged."""
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
            return _Header.model_validate_json(metadata["window"])
        except FileNotFoundError:
            return None
        except (SafetensorError, ValueError, KeyError):
            _discard(path)
            return None

    def _make_room(self, size: int) -> bool:
        """Evict until ``size`` more bytes fit; what is being written counts."""
        unfinished = self._sweep()
        if size + unfinished > self._max_bytes:
            return False
        listed = sorted(self._listed(), key=lambda stored: stored.last_use)
        total = sum(stored.bytes for stored in listed) + unfinished
        for stored in listed:
            if total + size <= self._max_bytes:
                break
            stored.path.unlink(missing_ok=True)
            self.evictions += 1
            total -= stored.bytes
        return True

    def _sweep(self) -> int:
        """Remove what older formats and killed writers left; returns the bytes of young leftovers."""
        unfinished = 0
        for entry in self._entries():
            name = _WINDOW.fullmatch(entry.name)
            if name is not None and int(name[1]) < FORMAT:
                Path(entry.path).unlink(missing_ok=True)
            elif _UNFINISHED.fullmatch(entry.name):
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat()
                    if status.st_mtime < time.time() - _LEFTOVER_SECONDS:
                        os.unlink(entry.path)
                    else:
                        unfinished += status.st_size
        return unfinished

    def _listed(self) -> list[_Stored]:
        listed = []
        for entry in self._entries():
            if _WINDOW.fullmatch(entry.name):
                with contextlib.suppress(FileNotFoundError):
                    status = entry.stat()
                    listed.append(_Stored(status.st_mtime_ns, status.st_size, Path(entry.path)))
        return listed

    def _entries(self) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._folder) as entries:
                return list(entries)
        except FileNotFoundError:
            return []

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """No other writer is at work meanwhile, in this process or another."""
        make_private(self._folder)
        lock = open_lock(self._folder / ".lock")
        try:
            deadline = time.monotonic() + _LOCK_SECONDS
            while not try_lock(lock):
                if time.monotonic() > deadline:
                    raise StorageError(
                        f"another process keeps {self._folder} locked",
                        remedy="end it if it hangs",
                    )
                time.sleep(_LOCK_POLL_SECONDS)
            yield
        finally:
            os.close(lock)


def _serialised(header: _Header, packed: PackedWindow) -> bytes:
    text = header.model_dump_json()
    metadata = {"window": text, "crc32": _checksum(text, packed.tensors)}
    return save(dict(packed.tensors), metadata=metadata)


def _checksum(header: str, tensors: Mapping[str, Tensor]) -> str:
    checksum = zlib.crc32(header.encode())
    for name, tensor in sorted(tensors.items()):
        checksum = zlib.crc32(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode(), checksum)
        checksum = zlib.crc32(tensor.flatten().view(uint8).numpy().data, checksum)
    return f"{checksum:08x}"


def _discard(path: Path) -> None:
    # One that cannot be removed is found unusable again.
    with contextlib.suppress(OSError):
        path.unlink()
