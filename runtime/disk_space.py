"""Refusing a download before it fills the disk."""

from __future__ import annotations

import shutil
from pathlib import Path

from ..errors import StorageError
from ..storage import storage_errors

_RESERVE = 64 << 20
"""Bytes left for everything else on that disk."""


def require_space(path: Path, needed: int) -> None:
    """Raises StorageError unless ``needed`` bytes, and a reserve, fit beside ``path``."""
    with storage_errors(path):
        free = shutil.disk_usage(path.parent).free
    if free < needed + _RESERVE:
        raise StorageError(
            f"{path.parent} has {free / 1e6:,.0f} MB left, {needed / 1e6:,.0f} MB "
            f"and {_RESERVE / 1e6:,.0f} MB of reserve are needed",
            remedy="free some space, or set LEADLINE_HOME to a folder on another disk",
        )
