"""WideSearch's tasks: a query, and by which rules each column of the answer is compared."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, ValidationError, field_validator, model_validator

from ...errors import ConfigError
from ..data_files import DataRecord, read_data_file

Preprocess = Literal["norm_str", "extract_number", "norm_date"]
Metric = Literal["exact_match", "url_match", "in_match", "number_near", "date_near", "llm_judge"]

METRICS: tuple[Metric, ...] = get_args(Metric)
TASKS_FILE = "widesearch.jsonl"
GOLD_FOLDER = "widesearch_gold"


class ColumnRule(DataRecord):
    """How the cells of one column are prepared and compared."""

    preprocess: tuple[Preprocess, ...] = ()
    """Applied in this order to both sides."""
    metric: tuple[Metric, ...]
    criterion: float | str | None = None
    """``number_near``: the relative tolerance; ``llm_judge``: what the judge goes by."""

    @model_validator(mode="after")
    def _has_its_criterion(self) -> ColumnRule:
        if not self.metric:
            raise ValueError("a column without a metric")
        if "number_near" in self.metric:
            if self.criterion is None:
                raise ValueError("number_near without a criterion")
            float(self.criterion)
        return self

    @property
    def tolerance(self) -> float:
        return float(self.criterion or 0.0)


class Evaluation(DataRecord):
    """The columns of a task. Names are as :func:`norm_column` makes them."""

    unique_columns: tuple[str, ...]
    """Together they tell the rows apart."""
    required: tuple[str, ...]
    eval_pipeline: dict[str, ColumnRule]

    @model_validator(mode="after")
    def _fits_together(self) -> Evaluation:
        if not self.unique_columns or not set(self.unique_columns) <= set(self.required):
            raise ValueError("unique_columns are not among the required ones")
        if set(self.eval_pipeline) != set(self.required):
            raise ValueError("eval_pipeline and required name different columns")
        return self


class WideSearchTask(DataRecord):
    """One line of ``widesearch.jsonl``."""

    instance_id: str = Field(pattern=r"^[\w.-]+$")
    """Also the name of its gold table's file."""
    query: str
    evaluation: Evaluation
    """In the file it is JSON inside a string."""
    language: Literal["en", "zh"] = "en"

    @field_validator("evaluation", mode="before")
    @classmethod
    def _unpacked(cls, value: object) -> object:
        return json.loads(value) if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class LoadedTasks:
    """Tasks with the gold tables that there are, and what was wrong with the rest."""

    tasks: tuple[WideSearchTask, ...]
    gold: Mapping[str, str]
    """By instance id: the gold table as CSV text."""
    problems: tuple[str, ...]
    """One line each; none of them stops the other tasks."""


def norm_column(name: str) -> str:
    """A column's name as evaluations spell it: lower case, without spaces."""
    return name.strip().lower().replace(" ", "")


def load_tasks(path: Path, *, gold: bool = True) -> LoadedTasks:
    """The tasks in ``path``: a JSONL file, or a folder laid out as the data set is published.

    With ``gold``, tasks without a gold table are named in the problems.

    Raises:
        ConfigError: the file cannot be read, or holds no task at all.
    """
    file = path / TASKS_FILE if path.is_dir() else path
    tasks: dict[str, WideSearchTask] = {}
    problems: list[str] = []
    for number, line in enumerate(read_data_file(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            task = WideSearchTask.model_validate_json(line)
        except ValidationError as error:
            problems.append(f"{file.name}, line {number}: {first_problem(error)}")
            continue
        if task.instance_id in tasks:
            problems.append(f"{file.name}, line {number}: {task.instance_id!r} was there before")
            continue
        tasks[task.instance_id] = task
    if not tasks:
        reason = problems[0] if problems else f"{file.name} is empty"
        raise ConfigError(f"{file} holds no task ({reason})", remedy="give WideSearch's JSONL")
    tables: dict[str, str] = {}
    if gold:
        tables, missing = _gold_tables(file.parent / GOLD_FOLDER, tasks)
        problems += missing
    return LoadedTasks(tuple(tasks.values()), tables, tuple(problems))


def first_problem(error: ValidationError) -> str:
    """Where and why a record cannot be used, in one line."""
    detail = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(map(str, detail["loc"]))
    return f"{place + ': ' if place else ''}{detail['msg']}"


def _gold_tables(
    folder: Path, tasks: Mapping[str, WideSearchTask]
) -> tuple[dict[str, str], list[str]]:
    tables: dict[str, str] = {}
    problems: list[str] = []
    for instance_id in tasks:
        path = folder / f"{instance_id}.csv"
        try:
            tables[instance_id] = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"{instance_id} has no gold table that can be read ({error})")
    return tables, problems
