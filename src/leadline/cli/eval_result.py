"""The result of an evaluation: one JSON object, or a table of its rows; kept as a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .terminal import note, stdout_console, warn, write_result

if TYPE_CHECKING:
    from ..evals.result import EvaluationResult
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


def finish(result: EvaluationResult, *, as_json: bool, output: Path | None) -> None:
    """Keep a result in the folder ``output``, or in that of all results, and print it."""
    from ..evals.result import keep
    from ..locations import locations

    path = keep(result, output or locations().evaluations)
    show_result(result, as_json=as_json)
    note(f"kept as {path}")


def tell_of_files(files: Sequence[Path], folder: Path, *, missing: int) -> None:
    """Say what was written for other tools, and what of it is not there."""
    note(f"{len(files)} files in {folder}")
    if missing:
        warn(
            f"{missing} questions are not in them: an earlier Leadline measured them; "
            "--fresh measures them again"
        )


def show_result(result: EvaluationResult, *, as_json: bool) -> None:
    """Print a result as JSON, or its rows as a table."""
    if as_json:
        from ..evals.result import to_json

        write_result(to_json(result))
        return
    from rich.table import Table

    from ..evals.figures import figure

    table = Table("set", "method", "metric", "value", "95 %", "n", box=None)
    for row in result.rows:
        interval = f"{figure(row.low)}–{figure(row.high)}"
        table.add_row(row.set, row.method, row.metric, figure(row.value), interval, str(row.n))
    stdout_console().print(table)
