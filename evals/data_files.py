"""Reading files of evaluation data, with errors that name the file."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from ..errors import ConfigError

T = TypeVar("T")


class DataRecord(BaseModel):
    """Base of what data files hold; fields that are not measured are left aside."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def read_data_file(path: Path) -> bytes:
    """The bytes of a data file, without the byte order mark that Windows writes before UTF-8.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise ConfigError(
            f"cannot read {path} ({error.strerror})",
            remedy="give --data the folder that holds the evaluation's data",
        ) from error


def read_data_text(path: Path) -> str:
    """The text of a data file in UTF-8.

    Raises:
        ConfigError: it cannot be read, or is no UTF-8.
    """
    try:
        return read_data_file(path).decode()
    except UnicodeDecodeError as error:
        raise damaged(path, str(error)) from error


def read_json(path: Path, kind: TypeAdapter[T]) -> T:
    """What a JSON file holds.

    Raises:
        ConfigError: it cannot be read, or does not hold a ``kind``.
    """
    return _validated(path, read_data_file(path), kind)


def read_json_lines(path: Path, kind: TypeAdapter[T]) -> list[T]:
    """What a file holds that has one JSON value a line.

    Raises:
        ConfigError: it cannot be read, or a line does not hold a ``kind``.
    """
    lines = enumerate(read_data_file(path).splitlines(), start=1)
    return [_validated(path, line, kind, f"line {n}, ") for n, line in lines if line.strip()]


def damaged(path: Path, problem: str) -> ConfigError:
    """The error that says what is wrong with the content of ``path``."""
    return ConfigError(f"{path} is damaged ({problem})", remedy="unpack the data again")


def _validated(path: Path, data: bytes, kind: TypeAdapter[T], where: str = "") -> T:
    try:
        return kind.validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise damaged(path, f"{where}{place + ': ' if place else ''}{first['msg']}") from error
