"""``leadline batch TASKS.jsonl -o OUT.jsonl``: many questions and tables, resumable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from .exit_codes import ExitCode
from .research_options import (
    corpus_option,
    model_option,
    quiet_option,
    reader_option,
    seconds_option,
)
from .running import run_async
from .terminal import note, progress_bars, warn

if TYPE_CHECKING:
    from ..evals.batch import BatchProgress

_PROBLEMS_SHOWN = 20


@click.command()
@click.argument("tasks", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="One JSON object for each trial; what is finished there is not done again.",
)
@click.option("--trials", type=click.IntRange(1), default=1, show_default=True)
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="Tasks at a time; more than one pays with an endpoint, a GPU or --ray.",
)
@click.option(
    "--ray",
    "cluster",
    metavar="ADDRESS",
    help="Let --workers processes of the Ray cluster at this host:port do the tasks; or `auto`.",
)
@corpus_option
@click.option("--web", is_flag=True, help="Search the web as well as the corpora.")
@seconds_option("Budget of a task.")
@model_option
@reader_option
@quiet_option
def batch(
    tasks: Path,
    output: Path,
    trials: int,
    workers: int,
    cluster: str | None,
    corpora: tuple[str, ...],
    web: bool,
    seconds: float | None,
    model: str | None,
    reader: str | None,
    quiet: bool,
) -> int:
    """Work through TASKS: a line each, {"id": …, "query": …} for a table, "question" for a report.

    WideSearch's file is taken as it is, and the output can be scored by `leadline eval run
    widesearch`. A batch that was stopped goes on when the same command is given, inside the runs
    that it had begun. A task that fails is written down with its error, and tried again then.
    """
    from ..agent.assembly import Wishes
    from ..evals.batch import Ledger, load_batch, open_work, run_batch
    from ..evals.ray_batch import open_ray_work
    from ..settings import load_settings

    loaded = load_batch(tasks)
    for problem in loaded.problems[:_PROBLEMS_SHOWN]:
        warn(problem)
    if len(loaded.problems) > _PROBLEMS_SHOWN:
        warn(f"and {len(loaded.problems) - _PROBLEMS_SHOWN} more of the kind")
    settings = load_settings(model=model, reader=reader, seconds=seconds)
    wishes = Wishes(
        settings=settings, corpora=corpora, web=web or not corpora, memory=settings.memory
    )
    ledger = Ledger(output)

    async def work(cancel: Cancellation) -> int:
        with progress_bars(quiet=quiet) as progress:

            def tell(step: BatchProgress) -> None:
                progress("batch", step.done, step.total, "tasks")
                if step.result.error:
                    warn(f"{step.result.instance_id}: {step.result.error}")
                if not quiet:
                    note(_line(step))

            if cluster:
                opened = open_ray_work(cluster, wishes, workers=workers, cancel=cancel, warn=warn)
            else:
                opened = open_work(wishes, cancel=cancel, progress=progress, warn=warn)
            async with opened as doing:
                return await run_batch(
                    loaded.tasks,
                    trials=trials,
                    workers=workers,
                    ledger=ledger,
                    work=doing,
                    cancel=cancel,
                    on_result=tell,
                )

    failed = run_async(work)
    return ExitCode.PARTIAL if failed or loaded.problems else ExitCode.OK


def _line(step: BatchProgress) -> str:
    result = step.result
    minutes, seconds = divmod(round(step.seconds_left), 60)
    paid = f", {step.money:.2f} dollars" if step.money else ""
    return (
        f"{step.done}/{step.total}  {result.instance_id}, trial {result.trial_idx}: "
        f"{result.status} in {result.usage.seconds:.0f} s; {minutes} min {seconds:02} s left{paid}"
    )
