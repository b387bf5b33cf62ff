"""Makes the pictures of the terminal application that the README shows, from a real session.

    python docs/screens/make_screens.py --docs FOLDER     asks a question and for a table
    python docs/screens/make_screens.py --run RUN         draws a run that is kept

FOLDER holds SQLite's documentation as HTML; the models of the settings have to be here (``leadline
models pull``). A kept run is drawn from its events, as it was seen. A picture is an SVG that fetches
nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import DataTable, Input, TabbedContent

from leadline.settings import load_settings
from leadline.storage import write_atomically
from leadline.tui.app import LeadlineApp
from leadline.tui.open_run import OpenRun
from leadline.tui.screens.page import PageScreen
from leadline.tui.screens.run import RunScreen
from leadline.tui.widgets.choices import Choices
from leadline.tui.widgets.findings import Findings
from leadline.tui.widgets.question_area import QuestionArea

HERE = Path(__file__).parent
QUESTION = "How does WAL mode treat readers while a writer commits, and when is a checkpoint run?"
TABLE = "SQLite's journal modes, with the columns: mode, what happens to the journal"
SIZE = (112, 30)
PATIENCE_SECONDS = 3_600.0
_REMOTE_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_DRAWING_SECONDS = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--docs", type=Path, help="SQLite's documentation")
    what.add_argument("--run", help="a run that is kept")
    parser.add_argument("--model", help="plans and writes, in place of the settings' model")
    arguments = parser.parse_args()
    app = LeadlineApp(load_settings(model=arguments.model))
    asyncio.run(live(app, arguments.docs) if arguments.docs else kept(app, arguments.run))


async def live(app: LeadlineApp, docs: Path) -> None:
    """Ask a question and for a table, and draw what is seen on the way."""
    async with app.run_test(size=SIZE) as pilot:
        run = await _ask(pilot, QUESTION, docs, table=False)
        await _until(pilot, lambda: _has_evidence(run) or not run.under_way)
        await _draw(pilot, "reading")
        await _until(pilot, lambda: not run.under_way)
        await _draw_run(pilot)
        await pilot.press("ctrl+n")
        table = await _ask(pilot, TABLE, docs, table=True)
        await _until(pilot, lambda: not table.under_way)
        await _draw(pilot, "table")
        await _draw_sessions(pilot)


async def kept(app: LeadlineApp, run_id: str) -> None:
    """Draw a run from its log."""
    async with app.run_test(size=SIZE) as pilot:
        app.open_run(app.runs.get(run_id).path.name)
        await _until(pilot, lambda: isinstance(app.screen, RunScreen))
        if app.open_runs[-1].view.table is not None:
            await _draw(pilot, "table")
        else:
            await _draw_run(pilot)
        await _draw_sessions(pilot)


async def _ask(pilot: Pilot[None], text: str, docs: Path, *, table: bool) -> OpenRun:
    app = pilot.app
    assert isinstance(app, LeadlineApp)
    screen = app.screen
    screen.query_one(QuestionArea).text = text
    screen.query_one("#folder", Input).value = str(docs)
    screen.query_one("#sources", Choices).chosen.clear()
    if table:
        screen.query_one("#mode", Choices).focus()
        await pilot.press("down", "space")
    known = len(app.open_runs)
    screen.query_one(QuestionArea).focus()
    await pilot.press("enter")
    await _until(pilot, lambda: len(app.open_runs) > known and isinstance(app.screen, RunScreen))
    return app.open_runs[-1]


async def _draw_run(pilot: Pilot[None]) -> None:
    """Its plan with what was found, its report, and a quote in its page."""
    await pilot.pause(_DRAWING_SECONDS)
    tabs = pilot.app.screen.query_one(TabbedContent)
    tabs.active = "findings"
    await _draw(pilot, "plan")
    tabs.active = "report"
    await _draw(pilot, "report")
    tabs.active = "findings"
    findings = pilot.app.screen.query_one(Findings)
    findings.focus()
    findings.highlighted = next(i for i, row in enumerate(findings.options) if row.id)
    await pilot.press("enter")  # the best quote
    await _until(pilot, lambda: isinstance(pilot.app.screen, PageScreen))
    await _draw(pilot, "evidence")
    await pilot.press("escape")


async def _draw_sessions(pilot: Pilot[None]) -> None:
    await pilot.press("ctrl+r")
    await _until(pilot, lambda: pilot.app.screen.query_one(DataTable).row_count > 0)
    await _draw(pilot, "sessions")


def _has_evidence(run: OpenRun) -> bool:
    return any(node.work.evidence for node in run.view.nodes.values())


async def _until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await pilot.pause(0.2)


async def _draw(pilot: Pilot[None], name: str) -> None:
    await pilot.pause(_DRAWING_SECONDS)
    picture = _REMOTE_FONT.sub("", pilot.app.export_screenshot(title="Leadline"))
    path = HERE / f"{name}.svg"
    write_atomically(path, picture)
    path.chmod(0o644)
    print(path)


if __name__ == "__main__":
    main()
