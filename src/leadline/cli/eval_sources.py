"""Evaluations of searching, as commands under ``leadline eval run``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from .eval_options import json_option, output_option
from .eval_result import finish
from .running import run_async
from .terminal import warn

if TYPE_CHECKING:
    from ..evals.source_choice import Choice, Part

ABOUT = {"source-choice": "Choosing the search backend for a question by its description."}


@click.command("source-choice", help=ABOUT["source-choice"])
@click.option("--need", is_flag=True, help="Let the model say, too, what source is needed.")
@click.option(
    "--part",
    type=click.Choice(["development", "held-out", "all"]),
    default="all",
    show_default=True,
    help="The model's prompt was chosen on every other question.",
)
@output_option
@json_option
def _source_choice(need: bool, part: Part, output: Path | None, as_json: bool) -> None:
    from ..agent.assembly import open_embedder, open_engine
    from ..evals import source_choice
    from ..evals.result import DataUsed, Stopwatch, measured
    from ..settings import load_settings
    from ..tools.passage_ranker import HybridRanker

    settings, labelled = load_settings(), source_choice.load(part)
    watch = Stopwatch()

    async def measure(cancel: Cancellation) -> list[Choice]:
        embedder = await open_embedder(settings, warn=warn)
        rankers = {"bm25": HybridRanker(None)}
        if embedder is not None:
            rankers["bm25 and embeddings"] = HybridRanker(embedder)
        engine = await open_engine(settings) if need else None
        try:
            chosen = source_choice.measure(labelled, rankers, engine=engine, cancel=cancel)
            return [choice async for choice in chosen]
        finally:
            if engine is not None:
                await engine.aclose()

    choices = run_async(measure)
    digest = hashlib.sha256(labelled.model_dump_json().encode()).hexdigest()
    result = measured(
        "source-choice",
        data=DataUsed("", digest, len(labelled.questions)),
        options={
            "embedder": settings.embedder,
            "part": part,
            "need": settings.model if need else "",
        },
        rows=source_choice.rows(choices, model=settings.embedder),
        questions=choices,
        watch=watch,
    )
    finish(result, as_json=as_json, output=output)


COMMANDS = (_source_choice,)
