from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tui.screens.page import PageScreen
from leadline.tui.widgets.table_grid import TableGrid

from ..agent.tables.conftest import PAGES, QUERY, answers
from .conftest import MakeApp, ask, ended, screen_text, until, until_shown
from .town import Town


@pytest.fixture
def river_pages(documents: Path) -> None:
    for old in documents.iterdir():
        old.unlink()
    for name, text in PAGES.items():
        (documents / name).write_text(text)


class Rivers(Town):
    def __init__(self) -> None:
        super().__init__()
        self.engine = ScriptedEngine(respond=answers)


@pytest.mark.usefixtures("river_pages")
async def test_a_table_fills_and_its_cells_open_their_source(app_with: MakeApp) -> None:
    app = app_with(Rivers())
    async with app.run_test(size=(80, 24)) as pilot:
        run = await ask(pilot, QUERY, options="tab down space")
        await ended(pilot, run)
        assert run.problem is None
        await until_shown(pilot, "1,094")
        shown = screen_text(app)
        assert "River" in shown and "Length (km)" in shown
        assert "777 ≠" in shown
        grid = app.screen.query_one(TableGrid)
        grid.focus()
        grid.move_cursor(row=0, column=1)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, PageScreen))
        await until_shown(pilot, "Alderland")
        assert "of 2" in screen_text(app)
        await asyncio.sleep(0)


@pytest.mark.usefixtures("river_pages")
async def test_rows_are_told_while_the_table_is_found(app_with: MakeApp) -> None:
    app = app_with(Rivers())
    async with app.run_test(size=(80, 24)) as pilot:
        run = await ask(pilot, QUERY, options="tab down space")
        await ended(pilot, run)
        folder = app.runs.get(run.view.run_id)
        kinds = [event.kind for event in folder.events()]
        assert kinds.index("row.changed") < kinds.index("run.finished")
        assert run.view.table is not None and run.view.report is not None
        assert run.view.report.table is not None
        assert len(run.view.table.rows) == len(run.view.report.table.rows) == 4
