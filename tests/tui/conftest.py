"""The application over a small corpus with a scripted model, and its screen as text."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from textual import events
from textual.pilot import Pilot
from textual.screen import Screen

from leadline.agent.assembly import Wishes
from leadline.agent.corpus_source import CorpusSource
from leadline.agent.researcher import Researcher
from leadline.agent.run_store import RunStore
from leadline.agent.toolbox import Effort
from leadline.cancellation import Cancellation
from leadline.locations import locations
from leadline.progress import Progress
from leadline.runtime.engine import Engine
from leadline.runtime.reader import FirstStageReader
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.settings import load_settings
from leadline.tools.corpus_catalogue import CorpusCatalogue
from leadline.tools.page_store import PageStore
from leadline.tools.passage_ranker import HybridRanker
from leadline.tui.app import LeadlineApp
from leadline.tui.open_run import OpenRun
from leadline.tui.research_thread import OpenResearcher
from leadline.tui.screens.ask import WEB
from leadline.tui.screens.run import RunScreen
from leadline.tui.widgets.choices import Choices

from ..agent.conftest import DOCUMENTS
from .town import QUESTION, Town

PATIENCE_SECONDS = 60.0


@pytest.fixture
def documents(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = home / "documents"
    folder.mkdir(parents=True)
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text)
    monkeypatch.chdir(home)
    return folder


def opener_with(engine: Engine) -> OpenResearcher:
    """Opens a researcher over the wished corpora, whose model is ``engine``."""

    @contextlib.asynccontextmanager
    async def open_scripted(
        wishes: Wishes,
        *,
        cancel: Cancellation,
        progress: Progress,
        warn: Callable[[str], None],
    ) -> AsyncIterator[Researcher]:
        with contextlib.closing(PageStore(locations().pages)) as store:
            catalogue = CorpusCatalogue(store=store)
            corpora = [catalogue.open_any(name) for name in wishes.corpora]
            for corpus in corpora:
                await corpus.update(cancel=cancel, progress=progress)
            yield Researcher(
                engine=engine,
                reader=FirstStageReader(HybridRanker(None)),
                sources=[CorpusSource(corpus) for corpus in corpora],
                pages=store,
                runs=RunStore(locations().runs),
                effort=Effort(growth_rounds=1),
            )

    return open_scripted


MakeApp = Callable[..., LeadlineApp]


@pytest.fixture
def app_with(documents: Path) -> MakeApp:
    def make(town: Town, *, open_run: str | None = None) -> LeadlineApp:
        return LeadlineApp(load_settings(), opener=opener_with(town.engine), open_run=open_run)

    return make


def idle_app() -> LeadlineApp:
    """The application where nothing is asked."""
    return LeadlineApp(load_settings(), opener=opener_with(ScriptedEngine()))


def screen_text(app: LeadlineApp) -> str:
    """What stands on the screen, without colours."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)


async def until(
    pilot: Pilot[Any], condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS
) -> None:
    """Wait for ``condition``; fails with the screen's text when patience runs out."""
    assert isinstance(pilot.app, LeadlineApp)
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await pilot.pause(0.02)
    except TimeoutError:
        pytest.fail(f"it did not come about:\n{screen_text(pilot.app)}")


async def until_shown(pilot: Pilot[Any], text: str) -> None:
    app = pilot.app
    assert isinstance(app, LeadlineApp)
    await until(pilot, lambda: text in screen_text(app))


async def until_asked(pilot: Pilot[Any], dialog: type[Screen[Any]]) -> None:
    """Wait for ``dialog`` in front; it takes keys only once something in it has the focus."""
    app = pilot.app
    await until(pilot, lambda: isinstance(app.screen, dialog) and app.screen.focused is not None)


async def ask(pilot: Pilot[Any], question: str = QUESTION, *, options: str = "") -> OpenRun:
    """Write ``question``, look in the folder of documents, press ``options``, and ask."""
    app = pilot.app
    assert isinstance(app, LeadlineApp)
    await write(pilot, question)
    await pilot.press("tab", "space", "tab")
    assert WEB not in app.screen.query_one("#sources", Choices).chosen
    await write(pilot, f".{os.sep}documents")
    await pilot.press(*options.split(), "ctrl+s")
    # Something that the run asks may be in front of its screen already.
    await until(pilot, lambda: any(isinstance(each, RunScreen) for each in app.screen_stack))
    return app.open_runs[-1]


async def write(pilot: Pilot[Any], text: str) -> None:
    """Paste ``text``: one message, where a key for each letter would take seconds."""
    pilot.app.post_message(events.Paste(text))
    await pilot.pause()


async def ended(pilot: Pilot[Any], run: OpenRun) -> None:
    await until(pilot, lambda: not run.under_way)


async def go_on(app: LeadlineApp, town: Town) -> None:
    """Let a town's held answers go."""
    wishes = app.open_runs[-1].wishes

    async def open_gate(researcher: Researcher) -> None:
        assert town.gate is not None
        town.gate.set()

    await asyncio.wrap_future(app.research.ask(wishes, open_gate))
