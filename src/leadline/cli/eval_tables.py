"""Evaluations of tables, as commands under ``leadline eval run``."""

from __future__ import annotations

import random
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from ..errors import ConfigError
from .eval_options import fresh_option, json_option, names, output_option
from .eval_result import finish, trials_so_far
from .running import run_async
from .terminal import note, progress_bars, warn

if TYPE_CHECKING:
    from ..evals.scores import Score
    from ..evals.tables import Tabulated
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
@click.option(
    "--methods",
    callback=names,
    default="closed-book,one-shot,leadline",
    show_default=True,
    help="What to measure, parted by commas.",
)
@fresh_option
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
    methods: tuple[str, ...],
    fresh: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Tables from one page and from many, by WideSearch's metrics.

    Methods: closed-book (the model alone), one-shot (the best passages of one search), leadline;
    leadline+filled_rows=0 is research with another effort, several changes are joined by +.
    """
    from ..evals import manual_tasks, scores, table_tasks, tables, wikitable_tasks
    from ..evals.machine import digest_of_folder
    from ..evals.method_names import check_methods
    from ..evals.result import DataUsed, Stopwatch, measured
    from ..evals.table_methods import BASELINES
    from ..locations import locations
    from ..settings import load_settings

    check_methods(methods, BASELINES)
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
    digest = digest_of_folder(folder)
    options: dict[str, object] = {"limit": limit, "seed": seed, "distractors": distractors}
    in_force = settings.model_dump(mode="json", exclude={"endpoint_key"})
    finished = trials_so_far("tables", digest, {**options, **in_force}, fresh=fresh)
    resumed = len(finished)

    async def measure(cancel: Cancellation) -> list[Score]:
        with progress_bars() as progress:
            pages = folder / table_tasks.PAGES_FOLDER
            bench = tables.TableBench(settings, pages, cancel=cancel, progress=progress, warn=warn)
            return await tables.measure(
                tasks, methods, finished, bench, tell=_tell, model=settings.model
            )

    found = run_async(measure)
    result = measured(
        "tables",
        data=DataUsed(str(data), digest, len(tasks)),
        options={**options, "methods": methods},
        settings=settings,
        model=settings.model,
        reader=settings.reader,
        rows=scores.rows(found),
        questions=found,
        watch=watch,
        resumed=resumed,
    )
    finish(result, as_json=as_json, output=output)
    finished.forget()


def _tell(score: Score, done: Tabulated) -> None:
    table = done.table
    note(
        f"{done.answer.seconds:5.0f} s  {score.method}, {score.question}: {done.answer.status}, "
        f"row F1 {table.score.row_f1:.2f}, item F1 {table.score.item_f1:.2f} "
        f"({table.response_rows} rows, {table.gold_rows} wanted)"
    )


def _warn_of(problems: tuple[str, ...]) -> None:
    for problem in problems[:_PROBLEMS_SHOWN]:
        warn(problem)
    if len(problems) > _PROBLEMS_SHOWN:
        warn(f"and {len(problems) - _PROBLEMS_SHOWN} more of the kind")


COMMANDS = (_tables, _widesearch)
