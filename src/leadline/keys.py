"""Keys of services: from the environment, or from a file that only its owner may read."""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

from pydantic import SecretStr

from .errors import ConfigError
from .locations import locations


def keys_file() -> Path:
    """Where keys are kept: TOML, one ``service = "key"`` a line, mode 0600."""
    return locations().config / "keys.toml"


def find_key(service: str, *variables: str) -> SecretStr | None:
    """The key of ``service``: LEADLINE_SERVICE_KEY, then other ``variables``, then the file.

    Raises:
        ConfigError: the file can be read by others, or is not what it should be.
    """
    for variable in (_variable(service), *variables):
        if value := os.environ.get(variable, "").strip():
            return SecretStr(value)
    filed = _filed_keys().get(service)
    return SecretStr(filed) if filed else None


def missing_key(service: str) -> str:
    """Why ``service`` cannot be used, with the remedy."""
    return f'no key: set {_variable(service)}, or write {service} = "…" into {keys_file()}'


def _variable(service: str) -> str:
    return f"LEADLINE_{service.upper()}_KEY"


def _filed_keys() -> dict[str, str]:
    path = keys_file()
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise ConfigError(f"others can read the keys in {path}", remedy=f"chmod 600 {path}")
            entries = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        # Neither kind of error quotes what the file holds.
        reason = error.strerror if isinstance(error, OSError) else "it is not valid TOML"
        raise ConfigError(f"cannot read {path} ({reason})", remedy="correct the file") from None
    return {name: value for name, value in entries.items() if isinstance(value, str)}
