from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from textual.widgets import DataTable, Input

from leadline.agent.report import Claim
from leadline.agent.run_store import RunStore
from leadline.locations import locations
from leadline.tui.app import LeadlineApp
from leadline.tui.screens.comparison import ComparisonScreen
from leadline.tui.screens.dialogs import ChoiceDialog
from leadline.tui.screens.run import RunScreen
from leadline.tui.screens.sessions import SessionsScreen

from ..kept_runs import cite, keep_page, keep_run
from .conftest import idle_app, screen_text, until, until_asked


@pytest.fixture
def three_runs() -> None:
    harbour = keep_page("https://example.org/harbour", "The harbour was opened in 1902 by law.\n")
    mayor = keep_page("https://example.org/mayor", "The mayor is Ines Varga, a geologist.\n")
    opened = Claim(
        text="It was opened in 1902.",
        citations=(cite(harbour, "opened in 1902"),),
        verdict="supported",
    )
    keep_run("When was the harbour opened?", opened)
    keep_run(
        "Who opened the harbour?",
        opened,
        Claim(text="The mayor is Varga.", citations=(cite(mayor, "Ines Varga"),)),
    )
    keep_run("Where is Elm Island?", status=None)


@pytest.fixture
def app(three_runs: None) -> LeadlineApp:
    return idle_app()


def listed(app: LeadlineApp) -> int:
    assert isinstance(app.screen, SessionsScreen)
    return app.screen.query_one(DataTable).row_count


def titles() -> list[str]:
    return [run.title for run in RunStore(locations().runs).all()]


async def test_runs_are_listed_and_found_as_their_words_are_typed(app: LeadlineApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: listed(app) == 3)
        await until(pilot, lambda: "unfinished" in screen_text(app))
        await pilot.press("slash", *"1902")
        await until(pilot, lambda: listed(app) == 2)
        await pilot.press("escape")
        await until(pilot, lambda: listed(app) == 3)


async def test_a_run_is_opened_and_left_again(app: LeadlineApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: listed(app) == 3)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        await pilot.press("ctrl+r")
        assert isinstance(app.screen, SessionsScreen)


async def test_a_run_is_renamed(app: LeadlineApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: listed(app) == 3)
        await pilot.press("n")
        await until(pilot, lambda: bool(app.screen.query("#dialog-text")))
        await pilot.press("exclamation_mark", "enter")
        await until(pilot, lambda: "Where is Elm Island?!" in titles())
        await until(pilot, lambda: "Island?!" in screen_text(app))


async def test_a_run_is_deleted_after_a_question_only(app: LeadlineApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: listed(app) == 3)
        await pilot.press("d")
        await until_asked(pilot, ChoiceDialog)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SessionsScreen))
        assert len(titles()) == 3
        await pilot.press("d")
        await until_asked(pilot, ChoiceDialog)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, SessionsScreen) and listed(app) == 2)
        assert "Where is Elm Island?" not in titles()


async def test_two_runs_are_compared(app: LeadlineApp) -> None:
    async with app.run_test(size=(120, 30)) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: listed(app) == 3)
        await pilot.press("down", "m")
        await until(pilot, lambda: "»" in screen_text(app))
        await pilot.press("down", "c")
        await until(pilot, lambda: isinstance(app.screen, ComparisonScreen))
        text = screen_text(app)
        alone, both = text.split("In both runs")
        assert "https://example.org/mayor" in alone
        assert "https://example.org/harbour" in both
        assert "not checked yet" in alone


async def test_a_report_is_exported(
    app: LeadlineApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: listed(app) == 3)
        await pilot.press("down", "x")
        await until(pilot, lambda: bool(app.screen.query("#export-path")))
        await pilot.press("tab", "down", "space")
        path = app.screen.query_one("#export-path", Input)
        assert path.value == "who-opened-the-harbour.html"
        await pilot.press("shift+tab", "enter")
        await until(pilot, lambda: (tmp_path / path.value).exists())
    assert "<mark>opened in 1902</mark>" in (tmp_path / path.value).read_text()


async def test_a_report_is_copied_as_it_is(app: LeadlineApp) -> None:
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: listed(app) == 3)
        await pilot.press("down", "y")
        await until(pilot, lambda: app.clipboard.startswith("It was opened in 1902. [1]"))


async def test_a_copy_is_edited_and_changes_are_kept(
    app: LeadlineApp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = tmp_path / "editor"
    seen = tmp_path / "seen"
    editor.write_text(f'#!/bin/sh\ncp "$1" "{seen}"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("EDITOR", str(editor))
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setattr("textual.drivers.headless_driver.HeadlessDriver.can_suspend", True)
    monkeypatch.setattr(
        "textual.drivers.headless_driver.HeadlessDriver.suspend_application_mode", lambda s: None
    )
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: listed(app) == 3)
        await pilot.press("down", "e")
        await until(pilot, seen.exists)
    assert seen.read_text().startswith("It was opened in 1902. [1]")


async def test_without_an_editor_the_remedy_is_told(
    app: LeadlineApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("EDITOR", "VISUAL"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", os.devnull)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: listed(app) == 3)
        await pilot.press("down", "e")
        await until(pilot, lambda: "set EDITOR" in screen_text(app))


async def test_a_damaged_run_is_named_and_hides_no_other(app: LeadlineApp) -> None:
    folder = RunStore(locations().runs).all()[0]
    (folder.path / "report.json").write_text("{")
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("ctrl+r")
        await until(pilot, lambda: listed(app) == 2)
        assert folder.path.name in screen_text(app)


def test_what_can_be_done_is_asked_before_there_is_a_list() -> None:
    screen = SessionsScreen()
    assert screen.check_action("leave", ())
    assert not screen.check_action("export", ())
