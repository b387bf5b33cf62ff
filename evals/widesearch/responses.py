"""Responses on file, in WideSearch's format: one JSON object a line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..data_files import read_data_file
from .tasks import first_problem


class Response(BaseModel):
    """One answer to one task."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance_id: str
    response: str
    messages: tuple[dict[str, Any], ...] = ()
    """The conversation that led there, where the system has one."""
    trial_idx: int = Field(default=0, ge=0)


@dataclass(frozen=True, slots=True)
class LoadedResponses:
    """Responses, and what was wrong with the other lines."""

    responses: tuple[Response, ...]
    problems: tuple[str, ...]


def load_responses(paths: Iterable[Path]) -> LoadedResponses:
    """The responses in ``paths``; of several to one trial of a task the first counts.

    Raises:
        ConfigError: a file cannot be read.
    """
    found: dict[tuple[str, int], Response] = {}
    problems: list[str] = []
    for path in paths:
        for number, line in enumerate(read_data_file(path).splitlines(), start=1):
            if not line.strip():
                continue
            where = f"{path.name}, line {number}"
            try:
                response = Response.model_validate_json(line)
            except ValidationError as error:
                problems.append(f"{where}: {first_problem(error)}")
                continue
            trial = (response.instance_id, response.trial_idx)
            if trial in found:
                problems.append(f"{where}: trial {trial[1]} of {trial[0]!r} was there before")
            else:
                found[trial] = response
    return LoadedResponses(tuple(found.values()), tuple(problems))
