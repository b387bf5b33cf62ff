"""``leadline memory``: what earlier runs found and new ones may recall."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from ..locations import locations
from ..safe_text import safe_line
from .terminal import write_json, write_result

if TYPE_CHECKING:
    from ..agent.memory import Memory


@click.group()
def memory() -> None:
    """List and forget what runs remember, and what to ask next."""


@memory.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def list_memory(as_json: bool) -> None:
    """The runs that are remembered, oldest first."""
    with _memory() as kept:
        runs = kept.runs()
    if as_json:
        write_json(
            [
                {
                    "run_id": run.run_id,
                    "question": run.question,
                    "finished_at": run.finished_at.isoformat(timespec="seconds"),
                    "claims": run.claims,
                }
                for run in runs
            ]
        )
        return
    if not runs:
        write_result("Nothing is remembered yet.")
    for run in runs:
        when = f"{run.finished_at:%Y-%m-%d}"
        write_result(f"{run.run_id}  {when}  {run.claims:>4} claims  {safe_line(run.question)}")


@memory.command("rm")
@click.argument("run", nargs=-1)
@click.option(
    "--older-than", type=click.FloatRange(0), metavar="DAYS", help="Runs that finished before."
)
@click.option("--all", "everything", is_flag=True, help="All runs.")
def forget(run: tuple[str, ...], older_than: float | None, everything: bool) -> None:
    """Forget what each RUN found; the runs themselves stay (`leadline runs rm` removes them)."""
    if not run and older_than is None and not everything:
        raise click.UsageError("name runs, or give --older-than DAYS or --all")
    with _memory() as kept:
        chosen = [
            remembered.run_id
            for remembered in kept.runs()
            if everything
            or (older_than is not None and _age(remembered.finished_at).days >= older_than)
            or any(_names(name, remembered.run_id) for name in run)
        ]
        if chosen:
            kept.forget(chosen)
    write_result(f"{len(chosen)} runs are forgotten")


@memory.command("suggest")
@click.argument("question", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1), default=5, show_default=True)
def suggest(question: tuple[str, ...], limit: int) -> None:
    """What could be asked after QUESTION, going by earlier runs."""
    from ..cancellation import Cancellation

    with _memory() as kept:
        found = kept.suggestions(" ".join(question), limit=limit, cancel=Cancellation())
    for suggestion in found:
        state = "left open" if suggestion.open else "asked"
        text = safe_line(suggestion.question)
        write_result(f"{text}  ({state} on {suggestion.asked_at:%Y-%m-%d}, {suggestion.run_id})")
    if not found:
        write_result("Earlier runs suggest nothing.")


def _age(then: datetime) -> timedelta:
    return datetime.now(UTC) - then


def _names(name: str, run_id: str) -> bool:
    return run_id.startswith(name) or run_id.endswith(name)


@contextlib.contextmanager
def _memory() -> Iterator[Memory]:
    """The memory; with the runs that have finished since, if it is in use."""
    from ..agent.memory import Memory
    from ..agent.run_store import RunStore
    from ..cancellation import Cancellation
    from ..settings import load_settings

    with contextlib.closing(Memory(locations().memory)) as kept:
        if load_settings().memory:
            kept.update(RunStore(locations().runs), cancel=Cancellation())
        yield kept
