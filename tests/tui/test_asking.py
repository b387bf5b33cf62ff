from __future__ import annotations

from pathlib import Path

from leadline.agent.events import RunStarted
from leadline.agent.run_store import RunStore
from leadline.locations import locations
from leadline.tui.open_run import OpenRun, kept_run
from leadline.tui.screens.export import ExportDialog
from leadline.tui.screens.page import PageScreen
from leadline.tui.screens.run import RunScreen
from leadline.tui.widgets.findings import Findings

from .conftest import MakeApp, ask, ended, screen_text, until, until_asked, until_shown, write
from .town import MAYOR, QUESTION, REPORT, Town


async def test_a_question_is_asked_watched_and_read(app_with: MakeApp) -> None:
    app = app_with(Town())
    async with app.run_test(size=(80, 24)) as pilot:
        run = await ask(pilot)
        await ended(pilot, run)
        assert run.problem is None
        await until_shown(pilot, REPORT)
        shown = screen_text(app)
        assert "✓ answered" in shown
        assert "✓ q1 Who is the mayor of Port Alder?" in shown
        assert "└─ ✓ q2" in shown
        assert "[1] Mayor" in shown


async def test_a_report_is_copied_and_written_to_a_file(app_with: MakeApp) -> None:
    app = app_with(Town())
    async with app.run_test(size=(80, 24)) as pilot:
        await ended(pilot, await ask(pilot))
        await until_shown(pilot, REPORT)
        await pilot.press("c", "x")
        await until_asked(pilot, ExportDialog)
        await pilot.press("enter")
        await until(pilot, lambda: bool(list(Path.cwd().glob("*.md"))))
        [written] = Path.cwd().glob("*.md")
        assert REPORT in written.read_text()
        assert written.read_text() == app.clipboard


async def test_nothing_is_asked_without_a_question_or_a_place_to_look(app_with: MakeApp) -> None:
    app = app_with(Town())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("enter")
        await until_shown(pilot, "the question is empty")
        await write(pilot, "Why?")
        await pilot.press("tab", "space", "ctrl+s")
        await until_shown(pilot, "there is nowhere to look")
        assert not app.open_runs


async def test_a_line_can_be_broken(app_with: MakeApp) -> None:
    app = app_with(Town())
    async with app.run_test(size=(80, 24)) as pilot:
        await write(pilot, "one")
        await pilot.press("ctrl+j")
        await write(pilot, "two")
        await pilot.press("home", "home", "tab", "space", "tab")
        await write(pilot, "./documents")
        await pilot.press("ctrl+s")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        assert app.open_runs[0].view.question == "one\ntwo"


async def test_quotes_and_citations_open_their_page_at_the_words(app_with: MakeApp) -> None:
    app = app_with(Town())
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        run = await ask(pilot)
        await ended(pilot, run)
        await until_shown(pilot, REPORT)
        await pilot.press("home", "enter")
        await until_shown(pilot, "She took office in 2019.")
        assert "1 of 2 · Mayor" in screen_text(app)
        await pilot.press("n")
        await until_shown(pilot, "She studied geology.")
        assert "2 of 2 · Ines Varga" in screen_text(app)
        await pilot.press("escape", "1")
        await until_shown(pilot, MAYOR)
        quotes = [row.id for row in app.screen.query_one("#findings-list", Findings).options]
        await pilot.press("home", *["down"] * next(n for n, q in enumerate(quotes) if q), "enter")
        await until(pilot, lambda: isinstance(app.screen, PageScreen))
        await until_shown(pilot, "She took office in 2019.")
        await pilot.press("h")
        await until_shown(pilot, "there is no attention to show")


async def test_a_kept_run_is_drawn_as_it_was(app_with: MakeApp) -> None:
    app = app_with(Town())
    async with app.run_test(size=(100, 30)) as pilot:
        run = await ask(pilot)
        await ended(pilot, run)
        await until_shown(pilot, REPORT)
        await pilot.pause(0.5)
        live, view = screen_text(app), run.view
    again = app_with(Town(), open_run=view.run_id)
    async with again.run_test(size=(100, 30)) as pilot:
        await until_shown(pilot, REPORT)
        await pilot.pause(0.5)
        assert again.open_runs[0].view == view
        assert screen_text(again) == live


async def test_a_run_goes_on_while_another_question_is_asked(app_with: MakeApp) -> None:
    town = Town(held=True)
    app = app_with(town)
    async with app.run_test(size=(80, 24)) as pilot:
        await ask(pilot)
        await pilot.press("escape")
        await until_shown(pilot, "planning")
        await pilot.press("shift+tab", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))


async def test_quitting_keeps_the_run_so_that_it_can_be_resumed(app_with: MakeApp) -> None:
    app = app_with(Town(held=True))
    async with app.run_test(size=(80, 24)) as pilot:
        run = await ask(pilot)
        await until_shown(pilot, "planning")
        await pilot.press("ctrl+q")
    [folder] = RunStore(locations().runs).all()
    assert folder.report is None
    assert isinstance(next(folder.events()), RunStarted)
    kept: OpenRun = kept_run(folder, app.settings)
    assert kept.resumable
    again = app_with(Town(), open_run=run.view.run_id)
    async with again.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "stopped, can be resumed")
        await pilot.press("r")
        await until_shown(pilot, REPORT)
        assert QUESTION in screen_text(again)
