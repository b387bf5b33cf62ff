"""``leadline eval run hop``: multi-hop questions answered from a pool of paragraphs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from ..cancellation import Cancellation
from .eval_options import (
    data_option,
    fresh_option,
    json_option,
    limit_option,
    names,
    output_option,
    part_option,
    seed_option,
    sets_option,
)
from .eval_result import finish, tell_of_files, trials_so_far
from .running import run_async
from .terminal import note, progress_bars, warn

if TYPE_CHECKING:
    from ..evals.hop_methods import HopAnswer
    from ..evals.result import EvaluationResult
    from ..evals.scores import Score
    from ..evals.trials import FinishedTrials

ABOUT = {
    "hop": "Multi-hop questions answered over all paragraphs (MuSiQue, HotpotQA): answers, costs.",
}


@click.command("hop")
@data_option
@sets_option
@click.option(
    "--methods",
    callback=names,
    default="closed-book,gold-paragraphs,one-shot,leadline",
    show_default=True,
    help="What to measure, parted by commas.",
)
@part_option
@limit_option
@seed_option
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Budget a question.")
@click.option("-m", "--model", help="Model that plans and writes.")
@click.option("--reader", help='Model that reads: an id, or "none".')
@click.option(
    "--ragnarok",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the answers into this folder, as the TREC RAG track takes them.",
)
@fresh_option
@output_option
@json_option
def _hop(
    data: Path,
    sets: tuple[str, ...],
    methods: tuple[str, ...],
    part: Literal["calibration", "held-out", "all"],
    limit: int | None,
    seed: int | None,
    seconds: float | None,
    model: str | None,
    reader: str | None,
    ragnarok: Path | None,
    fresh: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Multi-hop questions answered from the paragraphs of all.

    Methods: closed-book (the model alone), gold-paragraphs (handed the right ones), one-shot (the
    best pages of one search), leadline; leadline+growth_rounds=0 is research with another effort,
    several changes are joined by +.
    """
    from ..evals import hop, machine, scores, trec_files
    from ..evals.hop_methods import BASELINES
    from ..evals.hop_questions import load_sets
    from ..evals.method_names import check_methods
    from ..evals.result import DataUsed, Stopwatch, measured
    from ..locations import locations
    from ..settings import load_settings

    check_methods(methods, BASELINES)
    settings = load_settings(model=model, reader=reader, seconds=seconds)
    chosen = load_sets(data, sets=sets, part=part, limit=limit, seed=seed)
    watch = Stopwatch()

    async def measure(cancel: Cancellation) -> tuple[EvaluationResult, FinishedTrials, list[Score]]:
        digest = await asyncio.to_thread(machine.digest_of_folders, (data,))
        options: dict[str, object] = {
            "sets": [each.name for each in chosen],
            "part": part,
            "limit": limit,
            "seed": seed,
            "methods": methods,
        }
        in_force = settings.model_dump(mode="json", exclude={"endpoint_key"})
        finished = trials_so_far("hop", digest, {**options, **in_force}, fresh=fresh)
        resumed = len(finished)
        with progress_bars() as progress:
            folder = locations().cache / "evals" / "hop"
            bench = hop.HopBench(settings, folder, cancel=cancel, progress=progress, warn=warn)
            found = await hop.measure(
                chosen,
                methods,
                finished,
                bench,
                tell=_tell,
                model=settings.model,
            )
        result = measured(
            "hop",
            data=DataUsed(str(data), digest, sum(len(each.questions) for each in chosen)),
            options=options,
            settings=settings,
            model=settings.model,
            reader=settings.reader,
            rows=scores.rows(found),
            questions=found,
            watch=watch,
            resumed=resumed,
        )
        return result, finished, found

    result, finished, found = run_async(measure)
    if ragnarok is not None:
        files = trec_files.write_trec_answers(found, ragnarok)
        tell_of_files(files, ragnarok, missing=sum(score.answer is None for score in found))
    finish(result, as_json=as_json, output=output)
    finished.forget()


def _tell(score: Score, answer: HopAnswer) -> None:
    recalled = score.shares.get("evidence recall")
    evidence = "" if recalled is None else f", evidence recall {recalled:.2f}"
    note(
        f"{answer.seconds:5.0f} s  {score.method}: F1 {score.shares['F1']:.2f}{evidence}: "
        f"{score.question}"
    )
    note(f"         {answer.answer or answer.status}")


COMMANDS = (_hop,)
