"""Evaluations of extraction, as commands under ``leadline eval run``."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from .eval_options import data_option, json_option, limit_option, seed_option
from .eval_result import evaluation_result, show_result
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
@json_option
def _extraction(data: Path, part: Part, limit: int | None, seed: int | None, as_json: bool) -> None:
    from ..evals import extraction, machine

    pages = extraction.load(data, part=part, limit=limit, seed=seed)
    started = time.monotonic()

    async def measure(cancel: Cancellation) -> list[Matches]:
        with progress_bars() as progress:
            return await asyncio.to_thread(
                lambda: [*extraction.measure(pages, cancel=cancel, progress=progress)]
            )

    matches = run_async(measure)
    result = evaluation_result(
        "extraction",
        data={"path": str(data), "digest": machine.digest_of_folder(data), "n": len(pages)},
        settings={"part": part, "limit": limit, "seed": seed},
        rows=extraction.rows(matches),
        seconds=time.monotonic() - started,
        questions=[asdict(match) for match in matches],
    )
    show_result(result, as_json=as_json)


COMMANDS = (_extraction,)
