"""Evaluations of extraction, as commands under ``leadline eval run``."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from .eval_options import data_option, json_option, limit_option, output_option, seed_option
from .eval_result import finish
from .running import run_async
from .terminal import progress_bars

if TYPE_CHECKING:
    from ..evals.extraction import Matches, Part

ABOUT = {"extraction": "Main text of news pages, beside trafilatura alone (article-extraction)."}


@click.command("extraction", help=ABOUT["extraction"])
@data_option
@click.option(
    "--part",
    type=click.Choice(["development", "held-out", "all"]),
    default="held-out",
    show_default=True,
    help="Rules were developed on the first half of the pages.",
)
@limit_option
@seed_option
@output_option
@json_option
def _extraction(
    data: Path,
    part: Part,
    limit: int | None,
    seed: int | None,
    output: Path | None,
    as_json: bool,
) -> None:
    from ..evals import extraction, machine
    from ..evals.result import DataUsed, Stopwatch, measured

    pages = extraction.load(data, part=part, limit=limit, seed=seed)
    watch = Stopwatch()

    async def measure(cancel: Cancellation) -> list[Matches]:
        with progress_bars() as progress:
            return await asyncio.to_thread(
                lambda: [*extraction.measure(pages, cancel=cancel, progress=progress)]
            )

    matches = run_async(measure)
    result = measured(
        "extraction",
        data=DataUsed(str(data), machine.digest_of_folder(data), len(pages)),
        options={"part": part, "limit": limit, "seed": seed},
        rows=extraction.rows(matches),
        questions=matches,
        watch=watch,
    )
    finish(result, as_json=as_json, output=output)


COMMANDS = (_extraction,)
