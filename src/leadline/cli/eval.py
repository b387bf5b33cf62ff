"""``leadline eval``: measure answers, reading and tables on data that can be checked."""

from __future__ import annotations

import random
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from ..errors import ConfigError
from . import (
    eval_citations,
    eval_extraction,
    eval_hop,
    eval_reading,
    eval_report,
    eval_sources,
    eval_tables,
)
from .eval_options import json_option, output_option
from .eval_result import finish
from .running import run_async
from .terminal import note, progress_bars, stdout_console, warn

if TYPE_CHECKING:
    from ..evals.cited_answers import Outcome
    from ..evals.rows import Row


class _Evaluations(click.Group):
    """The evaluations of reading, and one of answers for each question set that ships."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        from ..evals import question_set

        return [*self.commands, *question_set.names()]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in self.commands:
            return self.commands[name]
        known = self.list_commands(ctx)
        if name not in known:
            if ctx.resilient_parsing:  # a shell that completes is told nothing
                return None
            raise ConfigError(
                f"no evaluation is called {name!r}", remedy=f"there are: {', '.join(known)}"
            )
        return _cited_answers


@click.group("eval")
def eval_() -> None:
    """Measure answers, reading and tables on data that can be checked."""


_PARTS = (eval_reading, eval_hop, eval_citations, eval_tables, eval_extraction, eval_sources)
_ABOUT = {name: about for part in _PARTS for name, about in part.ABOUT.items()}
_COMMANDS = [command for part in _PARTS for command in part.COMMANDS]


@eval_.command("list")
def list_evals() -> None:
    """The evaluations there are."""
    from rich.table import Table

    from ..evals import question_set

    table = Table("name", "questions", "about", box=None)
    for name, about in _ABOUT.items():
        table.add_row(name, "", about)
    for name in question_set.names():
        loaded = question_set.load(name)
        table.add_row(name, str(len(loaded.questions)), loaded.about)
    stdout_console().print(table)


eval_.add_command(eval_report.report_evals)


@eval_.group("run", cls=_Evaluations, commands=_COMMANDS)
def run_eval() -> None:
    """Run an evaluation over the data in --data.

    A run of reading that was interrupted goes on where it stopped when the same command is given.
    """


@click.command("answers")
@click.pass_context
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder of documents that the questions are about.",
)
@click.option("--limit", type=click.IntRange(1), help="Take the first N questions.")
@click.option("--seed", type=int, help="Shuffle the questions first.")
@click.option("--seconds", type=click.FloatRange(min=0, min_open=True), help="Budget a question.")
@click.option("-m", "--model", help="Model that plans and writes.")
@click.option("--reader", help='Model that reads: an id, or "none".')
@click.option("--closed-book/--no-closed-book", default=True, help="Ask the model alone as well.")
@output_option
@json_option
def _cited_answers(
    ctx: click.Context,
    data: Path,
    limit: int | None,
    seed: int | None,
    seconds: float | None,
    model: str | None,
    reader: str | None,
    closed_book: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Answer the questions of this set from the documents in --data."""
    from ..agent.assembly import Wishes, open_engine, open_researcher
    from ..evals import cited_answers, machine, question_set
    from ..evals.result import DataUsed, Stopwatch, measured
    from ..locations import locations
    from ..settings import load_settings
    from ..tools.page_store import PageStore

    name = ctx.info_name or ""
    questions = list(question_set.load(name).questions)
    if seed is not None:
        random.Random(seed).shuffle(questions)
    questions = questions[:limit]
    settings = load_settings(model=model, reader=reader, seconds=seconds)
    wishes = Wishes(settings=settings, corpora=(str(data),))
    watch = Stopwatch()

    async def measure(cancel: Cancellation) -> tuple[list[Row], list[Outcome]]:
        found: list[Outcome] = []
        with progress_bars() as progress:
            async with open_researcher(
                wishes, cancel=cancel, progress=progress, warn=warn
            ) as researcher:
                store = PageStore(locations().pages)
                async for outcome in cited_answers.with_corpus(
                    questions, researcher, store.get, seconds=settings.seconds, cancel=cancel
                ):
                    _tell(outcome)
                    found.append(outcome)
                store.close()
        rows = cited_answers.rows(
            found, method=f"leadline, reader {settings.reader}", model=settings.model, set_name=name
        )
        if not closed_book:
            return rows, found
        engine = await open_engine(settings)
        alone = []
        async for outcome in cited_answers.closed_book(questions, engine, cancel=cancel):
            _tell(outcome)
            alone.append(outcome)
        await engine.aclose()
        rows += cited_answers.rows(alone, method="closed-book", model=settings.model, set_name=name)
        return rows, [*found, *alone]

    rows, outcomes = run_async(measure)
    result = measured(
        name,
        data=DataUsed(str(data), machine.digest_of_folder(data), len(questions)),
        options={"limit": limit, "seed": seed, "closed_book": closed_book},
        settings=settings,
        model=settings.model,
        reader=settings.reader,
        rows=rows,
        questions=[{"method": _method(outcome), **asdict(outcome)} for outcome in outcomes],
        watch=watch,
    )
    finish(result, as_json=as_json, output=output)


def _method(outcome: Outcome) -> str:
    return "closed-book" if outcome.status == "closed-book" else "leadline"


def _tell(outcome: Outcome) -> None:
    verdict = "right" if outcome.right else "wrong"
    cited = ", gold page cited" if outcome.gold_cited else ""
    note(f"{outcome.seconds:5.0f} s  {outcome.status}, {verdict}{cited}: {outcome.question}")
    note(f"         {outcome.answer}")
