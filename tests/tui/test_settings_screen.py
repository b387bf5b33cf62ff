from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from textual.widgets import DataTable, Input

from leadline.setting_files import user_file
from leadline.tui.app import LeadlineApp
from leadline.tui.screens.dialogs import ChoiceDialog
from leadline.tui.screens.settings import SettingDialog, SettingsScreen

from .conftest import idle_app, screen_text, until, until_asked


@pytest.fixture
def app() -> LeadlineApp:
    return idle_app()


def kept() -> dict[str, object]:
    path: Path = user_file()
    return tomllib.loads(path.read_text()) if path.exists() else {}


async def choose(app: LeadlineApp, name: str) -> None:
    """Put the cursor on a setting."""
    table = app.screen.query_one(DataTable)
    table.move_cursor(row=table.get_row_index(name))


async def test_every_setting_is_listed_with_its_meaning(app: LeadlineApp) -> None:
    async with app.run_test(size=(80, 40)) as pilot:
        await pilot.press("f2")
        await until(pilot, lambda: "Plans and writes" in screen_text(app))
        assert isinstance(app.screen, SettingsScreen)
        assert "page_store_gb" in screen_text(app)


async def test_a_value_that_cannot_be_used_is_refused_where_it_is_typed(app: LeadlineApp) -> None:
    async with app.run_test(size=(80, 40)) as pilot:
        await pilot.press("f2")
        await until(pilot, lambda: "Plans and writes" in screen_text(app))
        await choose(app, "reading_tokens")
        await pilot.press("enter")
        await until_asked(pilot, SettingDialog)
        app.screen.query_one(Input).value = "3"
        await pilot.press("enter")
        await until(pilot, lambda: "cannot be set so" in screen_text(app))
        assert kept() == {}
        app.screen.query_one(Input).value = "300"
        await pilot.press("enter")
        await until(pilot, lambda: kept() == {"reading_tokens": 300})
        await until(pilot, lambda: app.settings.reading_tokens == 300)
        await until(pilot, lambda: "settings.toml" in screen_text(app))
        await pilot.press("d")
        await until(pilot, lambda: kept() == {})


async def test_a_theme_is_chosen_from_those_there_are(app: LeadlineApp) -> None:
    async with app.run_test(size=(80, 40)) as pilot:
        assert app.theme == "leadline-dark"
        await pilot.press("f2")
        await until(pilot, lambda: "Plans and writes" in screen_text(app))
        await choose(app, "theme")
        await pilot.press("enter")
        await until_asked(pilot, ChoiceDialog)
        await pilot.press("down", "enter")
        await until(pilot, lambda: "theme" in kept())
        await until(pilot, lambda: app.theme == kept()["theme"])


async def test_keys_are_changed_and_help_shows_them(app: LeadlineApp) -> None:
    async with app.run_test(size=(80, 40)) as pilot:
        await pilot.press("f2")
        await until(pilot, lambda: "Plans and writes" in screen_text(app))
        await choose(app, "keymap")
        await pilot.press("enter")
        await until_asked(pilot, SettingDialog)
        app.screen.query_one(Input).value = "app.sessions=f9"
        await pilot.press("enter")
        await until(pilot, lambda: app.settings.keymap == {"app.sessions": "f9"})
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen))
        await pilot.press("f1")
        await until(pilot, lambda: "f9" in screen_text(app))
        await pilot.press("escape", "f9")
        await until(pilot, lambda: "search titles" in screen_text(app))
