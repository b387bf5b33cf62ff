"""Read once, ask many: keys and values of windows, in memory and on disk.

A window goes to memory, and a thread writes it to disk soon after, so that what falls out of
memory is there already and what is lost to a killed process is little. Windows that come back from
disk are mapped: asking them again costs no copy. It is a cache: whatever is missing from it is read
again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from ..cancellation import Cancellation
from ..errors import StorageError
from ..locations import locations
from .stored_window import PackedWindow, Precision, StoredWindow, WindowKey, pack, unpack
from .window_files import WindowFiles

MEMORY_BYTES = 1 << 30
"""145,000 tokens of the 0.5B up to layer 13 in bf16."""
DISK_BYTES = 10 << 30

_PATIENCE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class WindowStats:
    """Counts of one store since it was opened, and what is held now."""

    hits: int
    misses: int
    memory_windows: int
    memory_bytes: int
    """Windows mapped from disk count as if they were in memory."""
    memory_evictions: int
    disk_windows: int
    disk_bytes: int
    """Of the whole folder, whoever wrote it."""
    disk_evictions: int
    disk_error: str | None
    """Why nothing is written to disk any more."""


@dataclass(slots=True)
class _Entry:
    packed: PackedWindow
    written: bool


class WindowStore:
    """Windows by their keys: the least recently used leave memory, and then the disk.

    Safe for several threads, and for several processes on one folder. What :meth:`get` returns
    depends on ``precision`` alone, never on where the window lay.

    When the disk refuses (it is full, read-only, or has less than a reserve left), ``warn`` is told
    once and nothing is written any more; what is on disk can still be asked, and memory works on.

    Args:
        folder: ``windows`` in the cache folder when not given.
        memory_bytes: cap of the windows in memory.
        disk_bytes: cap of the folder; 0 for none.
        precision: ``bf16`` loses nothing of what was computed in bfloat16. ``int8`` halves the
            bytes; it moves attention scores about as much as computing in bfloat16 does.
        warn: told of a disk that refuses, from any thread; it must neither raise nor use the store.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        memory_bytes: int = MEMORY_BYTES,
        disk_bytes: int = DISK_BYTES,
        precision: Precision = "bf16",
        warn: Callable[[str], None],
    ) -> None:
        self._memory_bytes = memory_bytes
        self._precision: Precision = precision
        self._warn = warn
        self._changed = threading.Condition()
        self._entries: OrderedDict[WindowKey, _Entry] = OrderedDict()
        """Guarded by ``_changed``, as is all that follows; the least recently used first."""
        self._bytes = self._hits = self._misses = self._evictions = self._removals = 0
        self._closing = False
        self._disk_error: StorageError | None = None
        self._disk = threading.Lock()
        """Held while a window is written or removed on disk; taken before ``_changed``."""
        self._files: WindowFiles | None = None
        if disk_bytes:
            try:
                self._files = WindowFiles(
                    folder or locations().cache / "windows",
                    max_bytes=disk_bytes,
                    precision=precision,
                )
            except StorageError as error:
                self._stop_writing(error)
        self._writing = self._files is not None
        self._writer = threading.Thread(target=self._write, name="window-store", daemon=True)
        if self._writing:
            self._writer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def get(self, key: WindowKey) -> StoredWindow | None:
        """The window, in the type it was computed in; None when it has to be read.

        Raises:
            StorageError: the store is closed.
        """
        with self._changed:
            self._check_open()
            entry = self._entries.get(key)
            removals = self._removals
            if entry is not None:
                self._entries.move_to_end(key)
                self._hits += 1
        if entry is not None:
            if entry.written and self._files is not None:
                self._files.touch(key)
            return unpack(key, entry.packed)
        packed = self._files.load(key) if self._files is not None else None
        with self._changed:
            if packed is None:
                self._misses += 1
                return None
            self._hits += 1
            if removals == self._removals:
                self._keep_mapped(key, packed)
        return unpack(key, packed)

    def get_many(self, keys: Sequence[WindowKey]) -> Iterator[StoredWindow | None]:
        """As :meth:`get` for each key in turn; the next one is read ahead while this one is used."""
        for place, key in enumerate(keys):
            if self._files is not None and place + 1 < len(keys):
                with self._changed:
                    in_memory = keys[place + 1] in self._entries
                if not in_memory:
                    self._files.will_load(keys[place + 1])
            yield self.get(key)

    def put(
        self, key: WindowKey, window: StoredWindow, *, cancel: Cancellation | None = None
    ) -> None:
        """Keep a copy of ``window``, and add its pages to those the key is known for.

        Waits for the disk only while all memory is taken by windows that are not yet written.

        Raises:
            ReadingError: the window is empty, ragged, or not of the key's type.
            StorageError: the store is closed.
            Cancelled: ``cancel`` was set while waiting.
        """
        packed = pack(key, window, self._precision)
        if packed.nbytes > self._memory_bytes:
            self._put_on_disk(key, packed)
            return
        with self._changed:
            while True:
                self._check_open()
                known = self._entries.get(key)
                taken = known.packed.nbytes if known is not None else 0
                if self._made_room(packed.nbytes - taken, sparing=key):
                    break
                self._changed.wait(_PATIENCE_SECONDS)
                if cancel is not None:
                    cancel.check()
            page_ids = self._dropped(key)
            packed = replace(packed, page_ids=packed.page_ids | page_ids)
            self._entries[key] = _Entry(packed, written=False)
            self._bytes += packed.nbytes
            self._changed.notify_all()

    def forget(self, page_id: str) -> None:
        """Drop every window that was put as made of this page, alone or with others.

        Raises:
            StorageError: a file cannot be removed.
        """
        with self._disk:
            with self._changed:
                self._removals += 1
                found = [k for k, e in self._entries.items() if page_id in e.packed.page_ids]
                for key in found:
                    self._dropped(key)
                self._changed.notify_all()
            if self._files is not None:
                self._files.forget(page_id)

    def clear(self) -> None:
        """Drop every window, those of other processes on the same folder too.

        Raises:
            StorageError: a file cannot be removed.
        """
        with self._disk:
            with self._changed:
                self._removals += 1
                self._entries.clear()
                self._bytes = 0
                self._changed.notify_all()
            if self._files is not None:
                self._files.clear()

    def flush(self) -> None:
        """Wait until what was put is on disk.

        Raises:
            StorageError: the disk refused.
        """
        with self._changed:
            while self._writing and self._next_unwritten() is not None:
                self._changed.wait()
            error = self._disk_error
        if error is not None:
            raise StorageError(error.problem, remedy=error.remedy)

    def close(self) -> None:
        """Write what is not yet on disk, and let go of memory. May be called again."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._writer.ident is not None:
            self._writer.join()
        with self._changed:
            self._entries.clear()
            self._bytes = 0

    def stats(self) -> WindowStats:
        windows, size = self._files.usage() if self._files is not None else (0, 0)
        with self._changed:
            return WindowStats(
                hits=self._hits,
                misses=self._misses,
                memory_windows=len(self._entries),
                memory_bytes=self._bytes,
                memory_evictions=self._evictions,
                disk_windows=windows,
                disk_bytes=size,
                disk_evictions=self._files.evictions if self._files is not None else 0,
                disk_error=str(self._disk_error) if self._disk_error is not None else None,
            )

    def _check_open(self) -> None:
        if self._closing:
            raise StorageError("the window store is closed", remedy="open it again")

    def _made_room(self, size: int, *, sparing: WindowKey) -> bool:
        """Whether ``size`` more bytes fit, after the least recently used that may go are gone.

        One that is not yet written may not: the next ones wait for it.
        """
        while self._bytes + size > self._memory_bytes:
            oldest = next((key for key in self._entries if key != sparing), None)
            if oldest is None or (self._writing and not self._entries[oldest].written):
                return False
            self._dropped(oldest)
            self._evictions += 1
        return True

    def _dropped(self, key: WindowKey) -> frozenset[str]:
        """Take the window out of memory; returns its pages."""
        entry = self._entries.pop(key, None)
        if entry is None:
            return frozenset()
        self._bytes -= entry.packed.nbytes
        return entry.packed.page_ids

    def _keep_mapped(self, key: WindowKey, packed: PackedWindow) -> None:
        """Keep a window from disk at hand, unless that would have to wait."""
        size = packed.nbytes
        if size > self._memory_bytes or key in self._entries:
            return
        if self._made_room(size, sparing=key):
            self._entries[key] = _Entry(packed, written=True)
            self._bytes += size

    def _put_on_disk(self, key: WindowKey, packed: PackedWindow) -> None:
        with self._disk:
            with self._changed:
                self._check_open()
                packed = replace(packed, page_ids=packed.page_ids | self._dropped(key))
                writing = self._writing
            if writing:
                self._save(key, packed)

    def _write(self) -> None:
        """The writer's thread: the least recently used windows first."""
        try:
            while True:
                with self._changed:
                    while (key := self._next_unwritten()) is None and not self._closing:
                        self._changed.wait()
                    if key is None or self._disk_error is not None:
                        return
                self._write_one(key)
        finally:
            with self._changed:
                self._writing = False
                self._changed.notify_all()

    def _write_one(self, key: WindowKey) -> None:
        with self._disk:
            with self._changed:
                entry = self._entries.get(key)
                wanted = self._writing
            if entry is None or not wanted:
                return
            self._save(key, entry.packed)
        with self._changed:
            entry.written = True
            self._changed.notify_all()

    def _next_unwritten(self) -> WindowKey | None:
        return next((key for key, entry in self._entries.items() if not entry.written), None)

    def _save(self, key: WindowKey, packed: PackedWindow) -> None:
        assert self._files is not None
        try:
            self._files.save(key, packed)
        except StorageError as error:
            self._stop_writing(error)

    def _stop_writing(self, error: StorageError) -> None:
        with self._changed:
            self._disk_error = error
            self._writing = False
            self._changed.notify_all()
        self._warn(f"what is read is no longer kept on disk: {error}")
