"""What is known of a model's file on this disk: its size, its time and its digest.

A stamp lies beside each file that was verified. While size and time agree with it, the file is
taken for what it was; when they don't, it is read again. For a file that the catalogue doesn't
pin, the stamp of its first download is the pin.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..cancellation import Cancellation
from ..progress import Progress, silent
from ..storage import write_atomically

_BLOCK = 1 << 22


class Stamp(BaseModel):
    """A file as it was when its digest was computed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int = Field(ge=0)
    mtime_ns: int
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")

    def fits(self, path: Path) -> bool:
        """Whether ``path`` still has the stamp's size and time of change."""
        status = path.stat()
        return (status.st_size, status.st_mtime_ns) == (self.bytes, self.mtime_ns)


def stamp_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.stamp")


def read_stamp(path: Path) -> Stamp | None:
    """The stamp of the file at ``path``; None when it has none that can be read."""
    try:
        return Stamp.model_validate_json(stamp_path(path).read_bytes())
    except (OSError, ValidationError):
        return None


def write_stamp(path: Path, sha256: str) -> Stamp:
    """Record that the file at ``path``, as it is now, has the digest ``sha256``.

    Raises:
        StorageError: the stamp cannot be written.
    """
    status = path.stat()
    stamp = Stamp(bytes=status.st_size, mtime_ns=status.st_mtime_ns, sha256=sha256)
    write_atomically(stamp_path(path), stamp.model_dump_json())
    return stamp


def digest(
    path: Path,
    *,
    task: str = "",
    cancel: Cancellation | None = None,
    progress: Progress = silent,
) -> str:
    """SHA-256 of a file, in hexadecimal; ``task`` is what ``progress`` is told for large ones.

    Raises:
        OSError: the file cannot be read.
        Cancelled: ``cancel`` was set meanwhile.
    """
    total = path.stat().st_size
    sha256 = hashlib.sha256()
    done = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            if cancel is not None:
                cancel.check()
            sha256.update(block)
            done += len(block)
            if total > _BLOCK:
                progress(task or f"checking {path.name}", done, total, "bytes")
    return sha256.hexdigest()
