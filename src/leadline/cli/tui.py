"""``leadline tui``: the terminal application."""

from __future__ import annotations

import sys

import click

from ..errors import InputError


@click.command()
@click.argument("run", required=False)
def tui(run: str | None) -> None:
    """Ask, watch, steer and keep research in the terminal; RUN opens a run that is kept.

    RUN is a run's id, the start or the end of one, or "last".
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise InputError(
            "the terminal application needs a terminal",
            remedy='ask without it: leadline "How does … work?"',
        )
    from ..locations import locations
    from ..settings import load_settings
    from ..tui.app import LeadlineApp

    run_id = None
    if run is not None:
        from ..agent.run_store import RunStore

        run_id = RunStore(locations().runs).get(run).path.name
    LeadlineApp(load_settings(), open_run=run_id).run()
