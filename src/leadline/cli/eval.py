"""``leadline eval``: measure answers on data that can be checked."""

from __future__ import annotations

import random
import resource
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..cancellation import Cancellation
from .running import run_async
from .terminal import note, progress_bars, stdout_console, warn, write_json

if TYPE_CHECKING:
    from ..evals.cited_answers import Outcome, Row


@click.group("eval")
def eval_() -> None:
    """Measure answers on data that can be checked."""


@eval_.command("list")
def list_evals() -> None:
    """The evaluations there are."""
    from rich.table import Table

    from ..evals import question_set

    table = Table("name", "questions", "about", box=None)
    for name in question_set.names():
        loaded = question_set.load(name)
        table.add_row(name, str(len(loaded.questions)), loaded.about)
    stdout_console().print(table)


@eval_.command("run")
@click.argument("name")
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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def run_eval(
    name: str,
    data: Path,
    limit: int | None,
    seed: int | None,
    seconds: float | None,
    model: str | None,
    reader: str | None,
    closed_book: bool,
    as_json: bool,
) -> None:
    """Run the evaluation NAME over the documents in --data."""
    from ..agent.assembly import Wishes, open_engine, open_researcher
    from ..evals import cited_answers, machine, question_set
    from ..locations import locations
    from ..settings import load_settings
    from ..tools.page_store import PageStore

    questions = list(question_set.load(name).questions)
    if seed is not None:
        random.Random(seed).shuffle(questions)
    questions = questions[:limit]
    settings = load_settings(model=model, reader=reader, seconds=seconds)
    wishes = Wishes(settings=settings, corpora=(str(data),))
    started = time.monotonic()

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
    result = {
        "name": name,
        "data": {"path": str(data), "digest": machine.digest_of_folder(data), "n": len(questions)},
        "settings": settings.model_dump(mode="json", exclude={"endpoint_key"}),
        "machine": machine.describe_machine(),
        "rows": [asdict(row) for row in rows],
        "seconds": round(time.monotonic() - started, 1),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "questions": [asdict(outcome) for outcome in outcomes],
    }
    if as_json:
        write_json(result)
    else:
        _print_rows(rows)


def _tell(outcome: Outcome) -> None:
    verdict = "right" if outcome.right else "wrong"
    cited = ", gold page cited" if outcome.gold_cited else ""
    note(f"{outcome.seconds:5.0f} s  {outcome.status}, {verdict}{cited}: {outcome.question}")
    note(f"         {outcome.answer}")


def _print_rows(rows: list[Row]) -> None:
    from rich.table import Table

    table = Table("method", "metric", "value", "95 %", "n", box=None)
    for row in rows:
        interval = f"{row.low:.2f}–{row.high:.2f}"
        table.add_row(row.method, row.metric, f"{row.value:.2f}", interval, str(row.n))
    stdout_console().print(table)
