from __future__ import annotations

import random
from pathlib import Path

import pytest

from leadline.agent.event_log import EventLog
from leadline.agent.events import Event
from leadline.agent.run_store import RunStore
from leadline.errors import EndpointError, StorageError
from leadline.locations import locations
from leadline.tui.app import LeadlineApp
from leadline.tui.ascii_filter import AsciiFilter
from leadline.tui.screens.dialogs import MessageDialog

from .conftest import MakeApp, ask, ended, screen_text, until_asked, until_shown
from .town import REPORT, Town


async def test_a_resize_storm_leaves_a_whole_screen(app_with: MakeApp) -> None:
    app = app_with(Town())
    sizes = random.Random(7)
    async with app.run_test(size=(80, 24)) as pilot:
        run = await ask(pilot)
        for _ in range(30):
            await pilot.resize_terminal(sizes.randint(20, 220), sizes.randint(5, 70))
        await pilot.resize_terminal(80, 24)
        await ended(pilot, run)
        await until_shown(pilot, REPORT)


async def test_an_engine_that_dies_is_told_where_it_happened(app_with: MakeApp) -> None:
    town = Town()
    town.failure = EndpointError("the model's endpoint has hung up", remedy="start it again")
    app = app_with(town)
    async with app.run_test(size=(100, 30), notifications=True) as pilot:
        run = await ask(pilot)
        await ended(pilot, run)
        await until_shown(pilot, "the model's endpoint has hung up")
        assert run.view.nodes["q1"].state == "failed"


async def test_what_nobody_expected_is_shown_with_its_details(
    app_with: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_with(Town())
    emit = EventLog.emit

    def broken(self: EventLog, event: Event) -> None:
        if event.kind == "plan.updated":
            raise ZeroDivisionError("of a kind")
        emit(self, event)

    monkeypatch.setattr(EventLog, "emit", broken)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        run = await ask(pilot)
        await ended(pilot, run)
        await until_shown(pilot, "failed in an unforeseen way (ZeroDivisionError: of")
        await pilot.press("i")
        await until_asked(pilot, MessageDialog)
        assert "Traceback" in run.details
        await pilot.press("escape")
        monkeypatch.setattr(EventLog, "emit", emit)
        await pilot.press("r")
        await until_shown(pilot, REPORT)


async def test_a_full_disk_stops_the_run_with_a_remedy(
    app_with: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = app_with(Town())
    emit = EventLog.emit

    def full(self: EventLog, event: Event) -> None:
        if event.kind == "evidence.found":
            raise StorageError("no space left on the disk", remedy="free some space")
        emit(self, event)

    monkeypatch.setattr(EventLog, "emit", full)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        run = await ask(pilot)
        await ended(pilot, run)
        await until_shown(pilot, "no space left on the disk")
        await until_shown(pilot, "free some space")


async def finished_run(app: LeadlineApp) -> Path:
    async with app.run_test(size=(80, 24)) as pilot:
        run = await ask(pilot)
        await ended(pilot, run)
    [folder] = RunStore(locations().runs).all()
    return folder.path


async def test_a_log_cut_in_its_last_line_is_shown_up_to_there(app_with: MakeApp) -> None:
    path = await finished_run(app_with(Town()))
    log = path / "events.jsonl"
    log.write_bytes(log.read_bytes()[: log.read_bytes().rindex(b"claim.verified")])
    app = app_with(Town(), open_run=path.name)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until_shown(pilot, "└─ ✓ q2")
        assert app.open_runs[0].problem is None
        assert app.open_runs[0].resumable


async def test_a_log_with_a_damaged_line_says_so(app_with: MakeApp) -> None:
    path = await finished_run(app_with(Town()))
    log = path / "events.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    lines[8] = lines[8][:20] + b"\n"
    log.write_bytes(b"".join(lines))
    app = app_with(Town(), open_run=path.name)
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until_shown(pilot, "line 9 of")
        await until_shown(pilot, "q1")


async def test_a_run_that_is_not_there_is_named(app_with: MakeApp) -> None:
    app = app_with(Town(), open_run="20200101-000000-abcd")
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await until_shown(pilot, "there is no run")


async def test_a_terminal_without_utf8_gets_ascii(app_with: MakeApp) -> None:
    app = app_with(Town())
    app.plain_filters.append(AsciiFilter())
    async with app.run_test(size=(80, 24)) as pilot:
        run = await ask(pilot)
        await ended(pilot, run)
        await until_shown(pilot, REPORT)
        shown = screen_text(app)
        assert shown.isascii()
        assert "+ answered" in shown
        assert "+ q1 Who is the mayor" in shown


async def test_no_colour_is_needed(app_with: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = app_with(Town())
    async with app.run_test(size=(80, 24)) as pilot:
        run = await ask(pilot)
        await ended(pilot, run)
        await until_shown(pilot, REPORT)
        assert app.no_color
        assert "✓ answered" in screen_text(app)
