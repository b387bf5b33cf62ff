"""What is shown while models and corpora are opened, and that it can be stopped."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

from leadline.agent.assembly import Wishes
from leadline.agent.researcher import Researcher
from leadline.cancellation import Cancellation
from leadline.progress import Progress, told
from leadline.settings import load_settings
from leadline.tui.app import LeadlineApp
from leadline.tui.research_thread import OpenResearcher

from ..agent.conftest import DOCUMENTS
from .conftest import ask, ended, opener_with, screen_text, until, until_shown
from .town import REPORT, Town


def held_opener(gate: threading.Event) -> OpenResearcher:
    """Indexes the wished corpora, and halts after each page until ``gate`` is set."""
    open_town = opener_with(Town().engine)

    @contextlib.asynccontextmanager
    async def open_held(
        wishes: Wishes,
        *,
        cancel: Cancellation,
        progress: Progress,
        warn: Callable[[str], None],
    ) -> AsyncIterator[Researcher]:
        def halting(task: str, done: int, total: int | None, unit: str) -> None:
            progress(task, done, total, unit)
            while done == 1 and not gate.wait(0.01) and not cancel.cancelled:
                pass

        async with contextlib.AsyncExitStack() as stack:
            with told(progress, "opening a model"):
                town = open_town(wishes, cancel=cancel, progress=halting, warn=warn)
                researcher = await stack.enter_async_context(town)
            yield researcher

    return open_held


async def test_the_screen_says_what_is_opened_and_how_far_it_is(documents: Path) -> None:
    gate = threading.Event()
    app = LeadlineApp(load_settings(), opener=held_opener(gate))
    async with app.run_test(size=(80, 24)) as pilot:
        run = await ask(pilot)
        await until_shown(pilot, "opening a model · indexing documents-")
        await until_shown(pilot, f" 1 of {len(DOCUMENTS)} pages")
        await until_shown(pilot, "opening models and corpora · 1 s")
        await until_shown(pilot, "opening models and corpora · 2 s")
        assert run.seconds() == 0
        gate.set()
        await until_shown(pilot, REPORT)
        assert "opening" not in screen_text(app)


async def test_an_opening_is_stopped_and_begun_again(documents: Path) -> None:
    gate = threading.Event()
    app = LeadlineApp(load_settings(), opener=held_opener(gate))
    async with app.run_test(size=(80, 24)) as pilot:
        run = await ask(pilot)
        await until_shown(pilot, " 1 of ")
        await pilot.press("s")
        await until(pilot, lambda: not run.under_way, seconds=2)
        assert run.problem is None
        await until_shown(pilot, "○ stopped")
        await pilot.press("escape")
        gate.set()
        app.ask(run.view.question, run.wishes, run.limits)
        await ended(pilot, app.open_runs[-1])
        await until_shown(pilot, REPORT)


async def test_one_of_two_that_wait_for_an_opening_is_stopped(documents: Path) -> None:
    gate = threading.Event()
    app = LeadlineApp(load_settings(), opener=held_opener(gate))
    async with app.run_test(size=(80, 24)) as pilot:
        first = await ask(pilot)
        await until_shown(pilot, " 1 of ")
        second = app.ask(first.view.question, first.wishes, first.limits)
        await until_shown(pilot, " 1 of ")
        assert first.feed is not None
        first.feed.stop()
        await ended(pilot, first)
        gate.set()
        await ended(pilot, second)
        assert second.problem is None
        await until_shown(pilot, REPORT)


async def test_an_opening_goes_on_while_its_screen_is_left(documents: Path) -> None:
    gate = threading.Event()
    app = LeadlineApp(load_settings(), opener=held_opener(gate))
    async with app.run_test(size=(80, 24)) as pilot:
        await ask(pilot)
        await until_shown(pilot, " 1 of ")
        await pilot.press("escape")
        await until_shown(pilot, "What would you like to know?")
        await until_shown(pilot, "◐ opening models and corpora")
        await pilot.press("ctrl+q")
        assert not app.research.busy
