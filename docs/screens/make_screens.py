"""Makes the pictures of the terminal application that the README shows, from a real session.

    python docs/screens/make_screens.py --docs FOLDER

FOLDER holds SQLite's documentation as HTML. The models of the settings have to be here (``leadline
models pull``). A picture is an SVG that fetches nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import re
from collections.abc import Callable
from pathlib import Path

from textual.pilot import Pilot
from textual.widgets import Input, TabbedContent

from leadline.settings import load_settings
from leadline.storage import write_atomically
from leadline.tui.app import LeadlineApp
from leadline.tui.open_run import OpenRun
from leadline.tui.screens.run import RunScreen
from leadline.tui.widgets.choices import Choices
from leadline.tui.widgets.question_area import QuestionArea

HERE = Path(__file__).parent
QUESTION = "How does WAL mode treat readers while a writer commits, and when is a checkpoint run?"
TABLE = "SQLite's journal modes, with the columns: mode, what happens to the journal"
SIZE = (112, 32)
PATIENCE_SECONDS = 3_600.0
_REMOTE_FONT = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--docs", type=Path, required=True, help="SQLite's documentation")
    parser.add_argument("--model", help="plans and writes, in place of the settings' model")
    arguments = parser.parse_args()
    asyncio.run(session(arguments.docs, arguments.model))


async def session(docs: Path, model: str | None) -> None:
    """Ask a question and for a table, and draw what is seen on the way."""
    app = LeadlineApp(load_settings(model=model))
    async with app.run_test(size=SIZE) as pilot:
        run = await _ask(pilot, QUESTION, docs, table=False)
        await _until(pilot, lambda: _has_evidence(run) or not run.under_way)
        _draw(app, "reading")
        await _until(pilot, lambda: not run.under_way)
        await _finished(pilot, "findings")
        _draw(app, "plan")
        await _finished(pilot, "report")
        _draw(app, "report")
        await pilot.press("ctrl+n")
        table = await _ask(pilot, TABLE, docs, table=True)
        await _until(pilot, lambda: not table.under_way)
        await pilot.pause(1)
        _draw(app, "table")
        await pilot.press("ctrl+r")
        await pilot.pause(1)
        _draw(app, "sessions")


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
    await pilot.pause(0.5)
    if not table:
        _draw(app, "asking")
    known = len(app.open_runs)
    screen.query_one(QuestionArea).focus()
    await pilot.press("enter")
    await _until(pilot, lambda: len(app.open_runs) > known and isinstance(app.screen, RunScreen))
    return app.open_runs[-1]


def _has_evidence(run: OpenRun) -> bool:
    return any(node.work.evidence for node in run.view.nodes.values())


async def _finished(pilot: Pilot[None], tab: str) -> None:
    pilot.app.screen.query_one(TabbedContent).active = tab
    await pilot.pause(1)


async def _until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():
            await pilot.pause(0.2)


def _draw(app: LeadlineApp, name: str) -> None:
    picture = _REMOTE_FONT.sub("", app.export_screenshot(title="Leadline"))
    path = HERE / f"{name}.svg"
    write_atomically(path, picture)
    path.chmod(0o644)
    print(path)


if __name__ == "__main__":
    main()
