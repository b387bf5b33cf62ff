"""The result of an evaluation: what ``leadline eval run --json`` prints and what is kept of it."""

from __future__ import annotations

import json
import resource
import secrets
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import JsonValue, TypeAdapter, ValidationError

from .. import __version__
from ..errors import ConfigError
from ..settings import Settings, is_secret
from ..storage import write_atomically
from .machine import describe_machine
from .rows import Row

FORMAT = 2
"""Version of the format. Results of version 1 do not say it, nor who measured them and when."""


@dataclass(frozen=True, slots=True)
class DataUsed:
    """What was measured on."""

    path: str
    digest: str
    """SHA-256 over the files; empty where there are none."""
    n: int
    """Questions, queries, tasks or pages."""


@dataclass(frozen=True, slots=True)
class Build:
    """Which Leadline measured."""

    version: str = ""
    commit: str = ""
    """Of the checkout that it runs from, ``-dirty`` where files differ; empty elsewhere."""


@dataclass(frozen=True, slots=True)
class EvaluationResult:
    """What was measured, with what, on what, when, and how each question went."""

    name: str
    data: DataUsed
    settings: Mapping[str, JsonValue]
    """What the evaluation was told, and the settings that differ from their defaults."""
    machine: Mapping[str, JsonValue]
    rows: tuple[Row, ...]
    questions: tuple[Mapping[str, JsonValue], ...]
    """How each of them went, in the evaluation's own terms."""
    seconds: float
    peak_memory_mib: int = 0
    resumed: int = 0
    """Answers that an interrupted run had finished before."""
    format: int = 1
    leadline: Build = field(default_factory=Build)
    model: str = ""
    """Planned, wrote or judged; empty where nothing did, or where only the rows tell."""
    reader: str = ""
    """Read by attention; empty where nothing did."""
    started_at: datetime | None = None
    """In UTC."""
    finished_at: datetime | None = None


_RESULT = TypeAdapter(EvaluationResult)
_PLAIN: TypeAdapter[Any] = TypeAdapter(Any)


class Stopwatch:
    """When a measurement began, and how long it has been going on."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started


def measured(
    name: str,
    *,
    data: DataUsed,
    options: Mapping[str, object],
    rows: Sequence[Row],
    questions: Sequence[object],
    watch: Stopwatch,
    settings: Settings | None = None,
    model: str = "",
    reader: str = "",
    resumed: int = 0,
) -> EvaluationResult:
    """The result of what was measured just now, on this machine, by this Leadline.

    ``options`` are what the evaluation was told; of ``settings`` those are kept that differ from
    their defaults, and no secret.
    """
    return EvaluationResult(
        name=name,
        data=data,
        settings=_plain({**options, **(changed_settings(settings) if settings else {})}),
        machine=_plain(describe_machine()),
        rows=tuple(rows),
        questions=tuple(_plain(question) for question in questions),
        seconds=round(watch.seconds, 1),
        peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        resumed=resumed,
        format=FORMAT,
        leadline=this_build(),
        model=model,
        reader=reader,
        started_at=watch.started_at,
        finished_at=datetime.now(UTC),
    )


def changed_settings(settings: Settings) -> dict[str, Any]:
    """The settings that differ from their defaults, as plain data; no secrets."""
    plain: dict[str, Any] = settings.model_dump(mode="json")
    usual = Settings.model_construct().model_dump(mode="json")
    return {
        name: value for name, value in plain.items() if value != usual[name] and not is_secret(name)
    }


def this_build() -> Build:
    """The version of this Leadline, and the commit where it runs from a checkout."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return Build(__version__)
    # No tag stands in for the commit.
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        described = subprocess.run(
            command, cwd=root, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):  # no git here, or a checkout it refuses
        return Build(__version__)
    return Build(__version__, described.stdout.strip())


def to_json(result: EvaluationResult) -> str:
    """The result as it is printed and kept."""
    plain = _RESULT.dump_python(result, mode="json")
    first = ("name", "format", "leadline", "model", "reader", "started_at", "finished_at")
    ordered = {name: plain.pop(name) for name in first} | plain
    return json.dumps(ordered, ensure_ascii=False, indent=2) + "\n"


def keep(result: EvaluationResult, folder: Path) -> Path:
    """Write the result into ``folder`` as a file of its own, and return that.

    Raises:
        StorageError: the disk refused; there is no part of a file then.
    """
    moment = result.started_at or datetime.now(UTC)
    path = folder / f"{result.name}-{moment:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}.json"
    write_atomically(path.absolute(), to_json(result))
    return path


def read_result(path: Path) -> EvaluationResult:
    """The result that a file holds, in this or an earlier version of the format.

    Raises:
        ConfigError: it cannot be read, holds no result, or one of a later version.
    """
    try:
        result = _RESULT.validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"cannot read {path} ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(
            f"{path} holds no result of an evaluation ({place}: {first['msg']})",
            remedy="take it out of the folder, or measure again",
        ) from error
    if result.format > FORMAT:
        raise ConfigError(
            f"{path} has version {result.format} of the format, {FORMAT} is the last one known",
            remedy="read it with a newer Leadline",
        )
    return result


def _plain(value: object) -> Any:
    """``value`` as JSON can hold it."""
    return _PLAIN.dump_python(value, mode="json")
