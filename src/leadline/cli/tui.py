"""``leadline tui``: the terminal application."""

from __future__ import annotations

import os
import sys

import click

from ..errors import InputError
from .completing import run_ids


@click.command()
@click.argument("run", required=False, shell_complete=run_ids)
def tui(run: str | None) -> None:
    """Ask, watch, steer and keep research in the terminal; RUN opens a run that is kept.

    RUN is a run's id, the start or the end of one, or "last".
    """
    # Textual's own variable names the driver for something else than a terminal: a browser.
    on_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not on_terminal and not os.environ.get("TEXTUAL_DRIVER"):
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
