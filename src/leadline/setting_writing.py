"""Changing a setting in the user's own file, and nothing else in it."""

from __future__ import annotations

from collections.abc import MutableMapping
from pathlib import Path
from typing import Annotated, Any

import tomlkit
from pydantic import SecretStr, TypeAdapter, ValidationError
from tomlkit.exceptions import ParseError

from .errors import ConfigError
from .setting_files import user_file
from .settings import Settings, check_name
from .storage import write_atomically


def write_setting(name: str, value: object) -> Path:
    """Set ``name`` in the user's settings file, which is returned.

    ``value`` is of the setting's type or, as text, what would stand in its environment variable.
    ``search_urls.brave`` names one entry of a table. None takes the setting out of the file.
    Comments and the order of the file are kept; it is replaced in one step and has mode 0600.

    Raises:
        ConfigError: there is no such setting, the value cannot be used, or the file is damaged.
        StorageError: the file cannot be written.
    """
    name, _, entry = name.partition(".")
    check_name(name)
    # A link to a file that is kept elsewhere stays a link.
    path = user_file().resolve()
    document = _read(path)
    table: MutableMapping[str, Any] = document
    key = name
    if entry:
        given = {entry: value} if value is not None else {}
        checked = _checked(name, given)
        if not isinstance(checked, dict):
            raise ConfigError(f"{name!r} has no entries", remedy=f"set {name!r} itself")
        table, key = document.setdefault(name, tomlkit.table()), entry
        value = checked.get(entry)
    elif value is not None:
        value = _checked(name, value)
    if value is None:
        table.pop(key, None)
    else:
        table[key] = value
    write_atomically(path, tomlkit.dumps(document))
    return path


def _checked(name: str, value: object) -> object:
    """``value`` as the setting takes it, as plain data that TOML can hold."""
    field = Settings.model_fields[name]
    kind: Any = field.annotation
    for constraint in field.metadata:
        kind = Annotated[kind, constraint]
    try:
        parsed = TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        reason = error.errors(include_input=False)[0]["msg"]
        raise ConfigError(
            f"{name!r} cannot be set so ({reason})",
            remedy=f"it is: {' '.join((field.description or name).split())}",
        ) from error
    if isinstance(parsed, SecretStr):
        return parsed.get_secret_value()
    return list(parsed) if isinstance(parsed, tuple) else parsed


def _read(path: Path) -> tomlkit.TOMLDocument:
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return tomlkit.document()
    except (ParseError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML ({error})", remedy="correct it") from error
    except OSError as error:
        raise ConfigError(
            f"cannot read {path} ({error.strerror})", remedy="check its permissions"
        ) from error
