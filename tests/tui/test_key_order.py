"""Keys that arrive in one piece, as over a slow line or from a programme that types."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from textual import events, on
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.keys import _character_to_key
from textual.widgets import Input

from leadline.tui.key_order import KeyOrderApp
from leadline.tui.screens.help import HelpScreen
from leadline.tui.screens.run import RunScreen
from leadline.tui.widgets.choices import Choices
from leadline.tui.widgets.question_area import QuestionArea

from ..kept_runs import keep_run
from .conftest import MakeApp, ended, idle_app, until, until_shown
from .town import Town

TEXT = "Who is the mayor of Port Alder, and where is she from?"


def typed(text: str) -> list[events.Key]:
    """The keys of a text, a letter each."""
    return [events.Key(_character_to_key(letter), letter) for letter in text]


def pressed(*names: str) -> list[events.Key]:
    return [events.Key(name, " " if name == "space" else None) for name in names]


def arrive(app: App[Any], *keys: Sequence[events.InputEvent | events.Paste]) -> None:
    """All of ``keys`` without a pause between."""
    for key in itertools.chain(*keys):
        app.post_message(key)


async def test_keys_behind_a_tab_go_to_the_widget_that_it_leads_to() -> None:
    app = idle_app()
    async with app.run_test(size=(80, 24)) as pilot:
        arrive(app, typed(TEXT), pressed("tab", "space", "tab"), typed("./docs"))
        folder = app.screen.query_one("#folder", Input)
        await until(pilot, lambda: folder.value == "./docs", seconds=10)
        assert app.screen.query_one(QuestionArea).text == TEXT
        assert app.screen.query_one("#sources", Choices).chosen == []


async def test_a_run_is_asked_for_and_left_in_one_piece(app_with: MakeApp) -> None:
    app = app_with(Town())
    async with app.run_test(size=(80, 24)) as pilot:
        where = [*pressed("tab", "space", "tab"), *typed("./documents"), *pressed("escape")]
        arrive(app, where, typed(TEXT), pressed("enter", "3", "escape"), typed("And why?"))
        question = app.screen.query_one(QuestionArea)
        await until(pilot, lambda: question.text == "And why?", seconds=10)
        [run] = app.open_runs
        assert run.view.question == TEXT
        assert run.wishes.corpora == ("./documents",)
        assert not isinstance(app.screen, RunScreen)
        await ended(pilot, run)
        assert run.problem is None


async def test_keys_behind_one_that_opens_a_screen_go_to_that_screen() -> None:
    keep_run("When was the harbour opened?", status="failed")
    app = idle_app()
    async with app.run_test(size=(80, 24)) as pilot:
        arrive(app, pressed("ctrl+r"))
        await until_shown(pilot, "When was the harbour opened?")
        arrive(app, pressed("n"), typed(" By whom?"), pressed("enter", "f1"))
        await until(pilot, lambda: isinstance(app.screen, HelpScreen), seconds=10)
        # The name is written in a thread.
        title = "When was the harbour opened? By whom?"
        await until(pilot, lambda: [run.title for run in app.runs.all()] == [title], seconds=10)


class SlowInput(Input):
    """Is busy with one key for seconds."""

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "f9":
            await asyncio.sleep(3)
        await super()._on_key(event)


class OneInput(KeyOrderApp):
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", "Quit", priority=True)]
    KEY_SECONDS = 0.2

    def __init__(self) -> None:
        super().__init__()
        self.changed, self.left = asyncio.Event(), asyncio.Event()

    def compose(self) -> ComposeResult:
        yield SlowInput()

    @on(Input.Changed)
    def _note(self) -> None:
        self.changed.set()

    async def action_quit(self) -> None:
        self.left.set()


async def test_a_widget_that_hangs_keeps_nobody_from_quitting() -> None:
    app = OneInput()
    async with app.run_test():
        began = time.monotonic()
        arrive(app, pressed("f9"), typed("x" * 100), pressed("ctrl+q"))
        async with asyncio.timeout(2):
            await app.left.wait()
        assert time.monotonic() - began > OneInput.KEY_SECONDS


async def test_a_key_that_comes_alone_is_handed_on_at_once() -> None:
    app = OneInput()
    async with app.run_test() as pilot:
        waits = []
        for _ in range(20):
            app.changed.clear()
            began = time.monotonic()
            arrive(app, typed("x"))
            await app.changed.wait()
            waits.append(time.monotonic() - began)
            await pilot.pause()
        assert statistics.median(waits) < 0.02


async def test_pasted_text_keeps_its_place_among_keys() -> None:
    app = idle_app()
    async with app.run_test(size=(80, 24)) as pilot:
        arrive(app, typed("a"), [events.Paste("bc")], typed("d"), pressed("tab", "tab"))
        arrive(app, [events.Paste("./docs")], typed("/x"))
        folder = app.screen.query_one("#folder", Input)
        await until(pilot, lambda: folder.value == "./docs/x", seconds=10)
        assert app.screen.query_one(QuestionArea).text == "abcd"


async def test_a_click_keeps_its_place_among_keys() -> None:
    app = idle_app()
    async with app.run_test(size=(80, 24)) as pilot:
        folder = app.screen.query_one("#folder", Input)
        x, y = folder.region.offset
        down = events.MouseDown(None, x + 3, y, 0, 0, 1, False, False, False)
        arrive(app, typed(TEXT), [down], typed("./docs"))
        await until(pilot, lambda: folder.value == "./docs", seconds=10)
        assert app.screen.query_one(QuestionArea).text == TEXT
