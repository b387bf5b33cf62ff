"""The files that settings stand in, as they are written: what they say is judged elsewhere."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .errors import ConfigError
from .locations import locations

PROJECT_FILE = Path("leadline.toml")
"""In the working folder; without it, the table ``[tool.leadline]`` of its ``pyproject.toml``."""

_PYPROJECT = Path("pyproject.toml")


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """One file's settings."""

    path: Path
    values: Mapping[str, object]
    readable_by_others: bool


def user_file() -> Path:
    """The user's settings, whether they are there yet or not."""
    return locations().config / "settings.toml"


def settings_files() -> list[SettingsFile]:
    """The files that there are: the project's, which wins, then the user's.

    Raises:
        ConfigError: a file cannot be read, or is not valid TOML.
    """
    project = _read(PROJECT_FILE) or _project_table()
    return [file for file in (project, _read(user_file())) if file is not None]


def _read(path: Path) -> SettingsFile | None:
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            return SettingsFile(path, tomllib.load(file), bool(mode & 0o077))
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML ({error})", remedy="correct it") from error
    except OSError as error:
        raise ConfigError(
            f"cannot read {path} ({error.strerror})", remedy="check what it is, and its permissions"
        ) from error


def _project_table() -> SettingsFile | None:
    """Leadline's table in the project's own file, where it has one."""
    file = _read(_PYPROJECT)
    if file is None:
        return None
    tools = file.values.get("tool")
    table = tools.get("leadline") if isinstance(tools, dict) else None
    if not isinstance(table, dict):
        return None
    return SettingsFile(file.path, table, file.readable_by_others)
