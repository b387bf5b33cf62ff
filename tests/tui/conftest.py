"""The application over a small corpus with a scripted model, and its screen as text."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

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
from leadline.tui.research_thread import OpenResearcher

from ..agent.conftest import DOCUMENTS

PATIENCE_SECONDS = 60.0


@pytest.fixture
def documents(home: Path) -> Path:
    folder = home / "documents"
    folder.mkdir(parents=True)
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text)
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


@pytest.fixture
def app_with(documents: Path) -> Callable[..., LeadlineApp]:
    def make(engine: ScriptedEngine, *, open_run: str | None = None) -> LeadlineApp:
        return LeadlineApp(load_settings(), opener=opener_with(engine), open_run=open_run)

    return make


def screen_text(app: LeadlineApp) -> str:
    """What stands on the screen, without colours."""
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(segment.text for segment in line).rstrip() for line in lines)


async def until(pilot: Pilot[Any], condition: Callable[[], bool]) -> None:
    """Wait for ``condition``; fails with the screen's text when patience runs out."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            while not condition():
                await pilot.pause(0.02)
        except TimeoutError:
            assert isinstance(pilot.app, LeadlineApp)
            pytest.fail(f"it did not come about:\n{screen_text(pilot.app)}")


async def ask(pilot: Pilot[Any], question: str, folder: Path) -> None:
    """Type ``question`` and the folder to look in, and ask."""
    app = pilot.app
    app.query_one("#question").focus()
    await pilot.press(*_keys(question))
    app.query_one("#folder").focus()
    await pilot.press(*_keys(str(folder)))
    app.screen.query_one("#sources").chosen.clear()  # type: ignore[attr-defined]
    app.query_one("#question").focus()
    await pilot.press("enter")


def _keys(text: str) -> list[str]:
    return list(text)
