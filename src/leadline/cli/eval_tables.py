"""Evaluations of tables, as commands under ``leadline eval run``."""

from __future__ import annotations

import random
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from ..errors import ConfigError
from .eval_options import json_option, output_option
from .eval_result import finish
from .running import run_async
from .terminal import note, progress_bars, warn

if TYPE_CHECKING:
    from ..evals.tables import Outcome
    from ..evals.widesearch.evaluation import Evaluated

ABOUT = {
    "tables": "Tables from one page and from many (Wikipedia, manuals), beside the model alone.",
    "widesearch": "Score tables by WideSearch's rules: responses on file, gold from --data.",
}

_PROBLEMS_SHOWN = 20


@click.command("widesearch", help=ABOUT["widesearch"])
@click.option(
    "--data",
    type=click.Path(exists=True, path_type=Path),
    help="Folder with widesearch.jsonl and widesearch_gold; fetched from the hub without it.",
)
@click.option(
    "--responses",
    required=True,
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSONL of {instance_id, response, trial_idx}. Repeatable.",
)
@click.option("--official", is_flag=True, help="Score with the quirks of the official evaluation.")
@click.option("--judge", help="Model that judges; without it only what is spelt alike is right.")
@click.option("--trials", type=click.IntRange(1), help="Trials of each task; default: as found.")
@click.option("--limit", type=click.IntRange(1), help="Take the first N tasks.")
@click.option("--seed", type=int, help="Shuffle the tasks first.")
@output_option
@json_option
def _widesearch(
    data: Path | None,
    responses: tuple[Path, ...],
    official: bool,
    judge: str | None,
    trials: int | None,
    limit: int | None,
    seed: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    from ..agent.assembly import open_engine
    from ..evals.machine import digest_of_folder
    from ..evals.result import DataUsed, Stopwatch, measured
    from ..evals.widesearch.download import download
    from ..evals.widesearch.evaluation import evaluate, rows
    from ..evals.widesearch.judge import LiteralJudge, ModelJudge
    from ..evals.widesearch.responses import load_responses
    from ..evals.widesearch.rules import CorrectedRules, OfficialRules
    from ..evals.widesearch.tasks import load_tasks
    from ..settings import load_settings

    watch = Stopwatch()
    rules = OfficialRules() if official else CorrectedRules()
    found = load_responses(responses)
    if not found.responses:
        raise ConfigError("there is no response to score", remedy="; ".join(found.problems))
    several = 1 + max(response.trial_idx for response in found.responses)
    if trials is not None and trials < several:
        raise ConfigError(f"the responses have {several} trials", remedy=f"--trials {several}")

    async def measure(cancel: Cancellation) -> tuple[Path, int, Evaluated]:
        with progress_bars() as progress:
            folder = data or await download(cancel=cancel, progress=progress)
            loaded = load_tasks(folder)
            _warn_of(loaded.problems + found.problems)
            tasks = list(loaded.tasks)
            if seed is not None:
                random.Random(seed).shuffle(tasks)
            chosen = tasks[:limit]
            engine = await open_engine(load_settings(model=judge)) if judge else None
            try:
                evaluated = await evaluate(
                    chosen,
                    loaded.gold,
                    found.responses,
                    trials=trials or several,
                    rules=rules,
                    judge=ModelJudge(engine, cancel=cancel) if engine else LiteralJudge(),
                    cancel=cancel,
                    progress=progress,
                )
            finally:
                if engine is not None:
                    await engine.aclose()
        return folder, len(chosen), evaluated

    folder, n, evaluated = run_async(measure)
    _warn_of(evaluated.problems)
    figures = evaluated.figures(trials=trials or several, official=official)
    if not figures:
        raise ConfigError(f"{folder} has no gold table", remedy="get the data set again")
    result = measured(
        "widesearch",
        data=DataUsed(
            str(folder), digest_of_folder(folder if folder.is_dir() else folder.parent), n
        ),
        options={
            "official": official,
            "judge": judge,
            "trials": trials or several,
            "limit": limit,
            "seed": seed,
        },
        model=judge or "",
        rows=rows(
            figures, method="official" if official else "corrected", judge=judge or "literal"
        ),
        questions=[asdict(trial) | asdict(table) for trial, table in evaluated.trials],
        watch=watch,
    )
    finish(result, as_json=as_json, output=output)


@click.command("tables", help=ABOUT["tables"])
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder wikitables, or the HTML manual of SQLite, PostgreSQL or CMake.",
)
@click.option("--limit", type=click.IntRange(1), default=30, show_default=True, help="Tasks.")
@click.option("--seed", type=int, default=0, show_default=True, help="Which tasks and pages.")
@click.option(
    "--distractors",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Pages to search besides those that have the answers.",
)
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Budget a task.")
@click.option("-m", "--model", help="Model that plans and judges.")
@click.option("--reader", help='Model that reads: an id, or "none".')
@click.option("--closed-book/--no-closed-book", default=True, help="Ask the model alone as well.")
@output_option
@json_option
def _tables(
    data: Path,
    limit: int,
    seed: int,
    distractors: int,
    seconds: float | None,
    model: str | None,
    reader: str | None,
    closed_book: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    from ..agent.assembly import Wishes, open_engine, open_researcher
    from ..evals import manual_tasks, table_tasks, tables, wikitable_tasks
    from ..evals.machine import digest_of_folder
    from ..evals.result import DataUsed, Stopwatch, measured
    from ..locations import locations
    from ..settings import load_settings

    watch = Stopwatch()
    settings = load_settings(model=model, reader=reader, seconds=seconds)
    if (manual := manual_tasks.manual_tasks(data)) is not None:
        tasks = manual[:limit]
        others = manual_tasks.manual_distractors(data, distractors, seed=seed)
    else:
        tasks = wikitable_tasks.chosen_tasks(data, limit=limit, seed=seed)
        others = wikitable_tasks.distractors_of(data, distractors, seed=seed)
    name = f"{data.name}-{len(tasks)}-{seed}-{len(others)}"
    folder = locations().cache / "evals" / "tables" / name
    table_tasks.write_tasks(tasks, folder, distractors=others)
    wishes = Wishes(settings=settings, corpora=(str(folder / table_tasks.PAGES_FOLDER),))

    async def measure(cancel: Cancellation) -> list[tables.Outcome]:
        found: list[tables.Outcome] = []
        with progress_bars() as progress:
            async with open_researcher(
                wishes, cancel=cancel, progress=progress, warn=warn
            ) as researcher:
                async for outcome in tables.found_by_research(
                    tasks, researcher, seconds=settings.seconds, cancel=cancel
                ):
                    found.append(outcome)
                    _tell(outcome)
        if closed_book:
            engine = await open_engine(settings)
            try:
                async for outcome in tables.closed_book(tasks, engine, cancel=cancel):
                    found.append(outcome)
                    _tell(outcome)
            finally:
                await engine.aclose()
        return found

    outcomes = run_async(measure)
    result = measured(
        "tables",
        data=DataUsed(str(data), digest_of_folder(folder), len(tasks)),
        options={"limit": limit, "seed": seed, "distractors": distractors},
        settings=settings,
        model=settings.model,
        reader=settings.reader,
        rows=tables.rows(outcomes, model=settings.model),
        questions=outcomes,
        watch=watch,
    )
    finish(result, as_json=as_json, output=output)


def _tell(outcome: Outcome) -> None:
    score = outcome.scored.score
    note(
        f"{outcome.seconds:5.0f} s  {outcome.method}, {outcome.instance_id}: {outcome.status}, "
        f"row F1 {score.row_f1:.2f}, item F1 {score.item_f1:.2f} "
        f"({outcome.scored.response_rows} rows, {outcome.scored.gold_rows} wanted)"
    )


def _warn_of(problems: tuple[str, ...]) -> None:
    for problem in problems[:_PROBLEMS_SHOWN]:
        warn(problem)
    if len(problems) > _PROBLEMS_SHOWN:
        warn(f"and {len(problems) - _PROBLEMS_SHOWN} more of the kind")


COMMANDS = (_tables, _widesearch)
