"""Files that are still being gathered: ``NAME.partial``, and what the server said of it.

What is in a partial file is always a prefix of the whole, so any source can go on with it.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from ..storage import storage_errors, write_atomically


class Origin(BaseModel):
    """Where the bytes of a partial file come from, so that they are continued by the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    etag: str
    """A strong validator (RFC 9110 §8.8.3)."""
    total: int | None = None
    """Bytes of the whole file."""


def partial_path(path: Path) -> Path:
    """Where the file that will be at ``path`` is gathered."""
    return path.with_name(f"{path.name}.partial")


def file_size(path: Path) -> int:
    """Bytes of the file at ``path``; 0 when there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def read_origin(partial: Path) -> Origin | None:
    """What was recorded by :func:`write_origin`; None when there is nothing that can be read."""
    try:
        return Origin.model_validate_json(_origin_path(partial).read_bytes())
    except (OSError, ValidationError):
        return None


def write_origin(partial: Path, origin: Origin | None) -> None:
    """Record, or forget, where a partial file comes from.

    Raises:
        StorageError: the disk refused.
    """
    path = _origin_path(partial)
    if origin is not None:
        write_atomically(path, origin.model_dump_json())
        return
    with storage_errors(path):
        path.unlink(missing_ok=True)


def append(partial: Path, block: bytes) -> None:
    """Add ``block`` at the end.

    Raises:
        StorageError: the disk refused.
    """
    with storage_errors(partial), partial.open("ab") as file:
        file.write(block)


def truncate(partial: Path, size: int) -> None:
    """Keep the first ``size`` bytes; with 0 the file and its record are removed.

    Raises:
        StorageError: the disk refused.
    """
    with storage_errors(partial):
        if size == 0:
            partial.unlink(missing_ok=True)
            write_origin(partial, None)
        elif file_size(partial) > size:
            with partial.open("r+b") as file:
                file.truncate(size)


def _origin_path(partial: Path) -> Path:
    return partial.with_name(f".{partial.name}.origin")
