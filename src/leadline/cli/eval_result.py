"""The result of an evaluation: one JSON object, or a table of its rows."""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from .terminal import note, stdout_console, write_json

if TYPE_CHECKING:
    from ..evals.rows import Row
    from ..evals.trials import FinishedTrials


def trials_so_far(
    name: str, digest: str, settings: Mapping[str, object], *, fresh: bool
) -> FinishedTrials:
    """What an interrupted run of the same evaluation finished, said as a note; none if ``fresh``."""
    from ..evals.trials import FinishedTrials

    finished = FinishedTrials.of_run(name, digest, settings)
    if fresh:
        finished.forget()
    if len(finished):
        note(f"{len(finished)} answers were measured before; --fresh measures them again")
    return finished


def evaluation_result(
    name: str,
    *,
    data: Mapping[str, object],
    settings: Mapping[str, object],
    rows: Sequence[Row],
    seconds: float,
    questions: Sequence[Mapping[str, object]],
) -> dict[str, Any]:
    """What ``eval run --json`` prints.

    ``data`` says path, digest and number of questions; ``questions`` how each of them went.
    """
    from ..evals.machine import describe_machine

    return {
        "name": name,
        "data": data,
        "settings": settings,
        "machine": describe_machine(),
        "rows": [asdict(row) for row in rows],
        "seconds": round(seconds, 1),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "questions": questions,
    }


def show_result(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a result as JSON, or its rows as a table."""
    if as_json:
        write_json(result)
        return
    from rich.table import Table

    table = Table("set", "method", "metric", "value", "95 %", "n", box=None)
    for row in result["rows"]:
        interval = f"{_figure(row['low'])}–{_figure(row['high'])}"
        value, n = _figure(row["value"]), str(row["n"])
        table.add_row(row["set"], row["method"], row["metric"], value, interval, n)
    stdout_console().print(table)


def _figure(value: float) -> str:
    return f"{value:.3f}" if value < 100 else f"{value:,.0f}"
