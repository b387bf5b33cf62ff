from __future__ import annotations

from typing import Any

from textual.pilot import Pilot

from leadline.budget import Limits
from leadline.tui.app import LeadlineApp
from leadline.tui.screens.dialogs import BudgetDialog, ClarifyDialog
from leadline.tui.screens.run import RunScreen

from .conftest import MakeApp, ask, ended, go_on, until, until_asked, until_shown, write
from .town import MAYOR, REPORT, UNCLEAR, Town


async def held_at_its_plan(pilot: Pilot[Any], app: LeadlineApp) -> None:
    await ask(pilot, options="tab tab down space")
    await until_shown(pilot, "paused")
    await until_shown(pilot, "q2")


async def test_the_plan_is_shown_before_anything_is_searched(app_with: MakeApp) -> None:
    app = app_with(Town())
    async with app.run_test(size=(80, 24)) as pilot:
        await held_at_its_plan(pilot, app)
        run = app.open_runs[0]
        assert {node.state for node in run.view.nodes.values()} == {"waiting"}
        await pilot.press("space")
        await ended(pilot, run)
        await until_shown(pilot, REPORT)


async def test_questions_are_added_dropped_and_reworded(app_with: MakeApp) -> None:
    app = app_with(Town())
    async with app.run_test(size=(100, 30)) as pilot:
        await held_at_its_plan(pilot, app)
        await pilot.press("e", "end", "enter")
        await write(pilot, "When does the ferry leave?")
        await pilot.press("enter")
        await until_shown(pilot, "q3 When does the ferry leave?")
        await pilot.press("home", "e", "home", "enter", *["backspace"] * 40)
        await write(pilot, "Who governs Port Alder?")
        await pilot.press("enter")
        await until_shown(pilot, "q1 Who governs Port Alder?")
        await pilot.press("end", "e", "home", "down", "down", "down", "enter")
        await until(pilot, lambda: "q3" not in app.open_runs[0].view.nodes)
        await pilot.press("space")
        await ended(pilot, app.open_runs[0])


async def test_an_edit_that_cannot_be_taken_says_why(app_with: MakeApp) -> None:
    app = app_with(Town())
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        await held_at_its_plan(pilot, app)
        await pilot.press("e", "end", "enter")
        await write(pilot, "Who is the mayor of Port Alder?")
        await pilot.press("enter")
        await until_shown(pilot, "Not taken")


async def test_the_run_asks_what_is_meant(app_with: MakeApp) -> None:
    app = app_with(Town(clarification=UNCLEAR))
    async with app.run_test(size=(80, 24)) as pilot:
        run = await ask(pilot)
        await until_asked(pilot, ClarifyDialog)
        await until_shown(pilot, "Which Port Alder is meant?")
        await pilot.press("home", "enter")
        await ended(pilot, run)
        assert run.problem is None
        await until_shown(pilot, REPORT)


async def test_a_question_of_the_run_may_be_left_open(app_with: MakeApp) -> None:
    app = app_with(Town(clarification=UNCLEAR))
    async with app.run_test(size=(80, 24)) as pilot:
        run = await ask(pilot)
        await until_asked(pilot, ClarifyDialog)
        await pilot.press("escape")
        await ended(pilot, run)
        await until_shown(pilot, REPORT)


async def test_a_run_is_stopped_and_resumed(app_with: MakeApp) -> None:
    town = Town(held=True)
    app = app_with(town)
    async with app.run_test(size=(80, 24)) as pilot:
        run = await ask(pilot)
        await until(pilot, lambda: bool(town.engine.requests))
        await pilot.press("s")
        await ended(pilot, run)
        await until_shown(pilot, "stopped, can be resumed")
        await go_on(app, town)
        await pilot.press("r")
        await until_shown(pilot, REPORT)


async def test_the_budget_is_changed_under_way(app_with: MakeApp) -> None:
    app = app_with(Town())
    async with app.run_test(size=(80, 24)) as pilot:
        await held_at_its_plan(pilot, app)
        await pilot.press("b")
        await until_asked(pilot, BudgetDialog)
        await write(pilot, "90")
        await pilot.press("tab", "5", "0", "enter")
        await until_shown(pilot, "of 1:30")
        run = app.open_runs[0]
        await until(pilot, lambda: run.view.limits == Limits(seconds=90, pages=50))
        await pilot.press("space")
        await ended(pilot, run)


async def test_a_follow_up_looks_at_the_same_pages(app_with: MakeApp) -> None:
    app = app_with(Town())
    async with app.run_test(size=(100, 40)) as pilot:
        first = await ask(pilot)
        await ended(pilot, first)
        await until_shown(pilot, REPORT)
        await pilot.press("n")
        await write(pilot, "Who is the mayor?")
        await pilot.press("enter")
        await until(pilot, lambda: len(app.open_runs) == 2)
        second = app.open_runs[1]
        await ended(pilot, second)
        assert second.problem is None
        assert app.runs.get(second.view.run_id).record.follows == first.view.run_id
        assert isinstance(app.screen, RunScreen)
        # The end of a run brings its report to the front, and would take the findings away.
        await until_shown(pilot, "q1 Who is the mayor?")
        await until_shown(pilot, "Sources")
        await pilot.press("1")
        await until_shown(pilot, f"run {first.view.run_id}"[:20])
        await until_shown(pilot, MAYOR)
