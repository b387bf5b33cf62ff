"""Where Leadline keeps its files.

``LEADLINE_HOME`` puts everything under one folder. Otherwise the platform's own places are used,
and ``XDG_*`` variables are honoured on every platform, macOS included.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from .errors import StorageError


@dataclass(frozen=True, slots=True)
class Locations:
    """Folders, made on first use with mode 0700."""

    config: Path
    """The user's settings and keys."""
    cache: Path
    """Models, converted weights, pages: large, and can be fetched again."""
    state: Path
    """Runs, corpora, logs: what the user would miss."""

    @property
    def models(self) -> Path:
        return self.cache / "models"

    @property
    def web(self) -> Path:
        """Answers of web servers and of search engines."""
        return self.cache / "web"

    @property
    def pages(self) -> Path:
        return self.state / "pages"

    @property
    def corpora(self) -> Path:
        return self.state / "corpora"

    @property
    def memory(self) -> Path:
        return self.state / "memory"

    @property
    def runs(self) -> Path:
        return self.state / "runs"

    @property
    def evaluations(self) -> Path:
        """Results of evaluations, a file each."""
        return self.state / "evaluations"


def locations() -> Locations:
    """The folders for this user, read from the environment at each call."""
    if home := os.environ.get("LEADLINE_HOME"):
        root = Path(home).expanduser().absolute()
        return Locations(root / "config", root / "cache", root / "state")
    dirs = platformdirs.PlatformDirs("leadline", appauthor=False)
    return Locations(
        config=_xdg("XDG_CONFIG_HOME") or dirs.user_config_path,
        cache=_xdg("XDG_CACHE_HOME") or dirs.user_cache_path,
        state=_xdg("XDG_STATE_HOME") or dirs.user_state_path,
    )


def make_private(folder: Path) -> Path:
    """Create ``folder`` with mode 0700 if it is not there.

    Raises:
        StorageError: it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageError(
            f"cannot create {folder} ({error.strerror})",
            remedy="set LEADLINE_HOME to a folder that can be written",
        ) from error
    return folder


def _xdg(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value).expanduser() / "leadline" if value and os.path.isabs(value) else None
