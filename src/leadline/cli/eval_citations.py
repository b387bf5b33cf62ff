"""``leadline eval run citations``: what the citations of finished runs are worth."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from ..errors import ConfigError, RunError, StorageError
from .eval_options import fresh_option, json_option, limit_option, output_option, seed_option
from .eval_result import finish, trials_so_far
from .running import run_async
from .terminal import progress_bars, warn

if TYPE_CHECKING:
    from ..agent.report import Report
    from ..agent.run_store import RunFolder
    from ..evals.result import EvaluationResult
    from ..evals.trials import FinishedTrials
    from ..evidence import Page
    from ..tools.page_store import PageStore

ABOUT = {"citations": "Citations of finished runs: do they resolve, quote, and bear out (ALCE)?"}


@click.command("citations")
@click.argument("run", nargs=-1)
@click.option(
    "--runs",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder of runs, such as that of the evaluation hop; default: your own.",
)
@click.option("--judge", help="A model that judges as well; not the one that wrote, if possible.")
@limit_option
@seed_option
@fresh_option
@output_option
@json_option
def _citations(
    run: tuple[str, ...],
    runs: Path | None,
    judge: str | None,
    limit: int | None,
    seed: int | None,
    fresh: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """What the citations of finished runs are worth; of all runs, or of each RUN.

    The share that leads to its page, that quotes it to the letter; and citation recall and
    precision as in ALCE, by the words of claims and quotes, and by a --judge.
    """
    from ..agent.assembly import open_engine
    from ..agent.run_store import RunStore
    from ..evals import citations, machine, scores
    from ..evals.result import DataUsed, Stopwatch, measured
    from ..locations import locations
    from ..settings import load_settings
    from ..tools.page_store import PageStore

    watch = Stopwatch()
    folder = runs or locations().runs
    store = RunStore(folder)
    chosen = [store.get(name) for name in dict.fromkeys(run)] if run else store.all()
    reports = [
        (each, report)
        for each in chosen
        if (report := _report(each)) is not None and citations.is_cited(report)
    ]
    if seed is not None:
        random.Random(seed).shuffle(reports)
    reports = reports[:limit]
    if not reports:
        raise ConfigError(
            f"no finished run in {folder} states anything", remedy="ask something first"
        )
    settings = load_settings(model=judge)
    if judge and (own := sum(report.model == settings.model for _, report in reports)):
        warn(f"{settings.model} wrote {own} of the {len(reports)} reports that it is to judge")
    digest = machine.digest_of_files([each.path / "report.json" for each, _ in reports])
    options: dict[str, object] = {"judge": judge, "limit": limit, "seed": seed}

    async def measure(cancel: Cancellation) -> tuple[EvaluationResult, FinishedTrials]:
        finished = trials_so_far("citations", digest, options, fresh=fresh)
        resumed = len(finished)
        async with contextlib.AsyncExitStack() as stack:
            pages = stack.enter_context(contextlib.closing(PageStore(locations().pages)))
            progress = stack.enter_context(progress_bars())
            checks: list[citations.Check] = [citations.WordCheck()]
            if judge:
                engine = await open_engine(settings)
                stack.push_async_callback(engine.aclose)
                checks.append(citations.ModelCheck(engine, f"judged by {settings.model}"))
            found = await citations.measure(
                [report for _, report in reports],
                checks,
                lambda page_id: _page(pages, page_id),
                finished,
                cancel=cancel,
                progress=progress,
            )
        result = measured(
            "citations",
            data=DataUsed(str(folder), digest, len(reports)),
            options=options,
            model=settings.model if judge else "",
            rows=scores.rows(found),
            questions=found,
            watch=watch,
            resumed=resumed,
        )
        return result, finished

    result, finished = run_async(measure)
    finish(result, as_json=as_json, output=output)
    finished.forget()


def _report(folder: RunFolder) -> Report | None:
    try:
        return folder.report
    except RunError as error:
        warn(str(error))
        return None


def _page(pages: PageStore, page_id: str) -> Page | None:
    try:
        return pages.get(page_id) if page_id in pages else None
    except StorageError as error:  # damaged: what is cited of it leads nowhere
        warn(str(error))
        return None


COMMANDS = (_citations,)
