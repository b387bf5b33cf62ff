from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tui.app import LeadlineApp
from leadline.tui.screens.run import RunScreen

from ..agent.conftest import ENOUGH, SUPPORTED, answer, plan, written
from .conftest import ask, screen_text, until

MakeApp = Callable[..., LeadlineApp]


def mayor_engine() -> ScriptedEngine:
    return ScriptedEngine(
        [
            plan("multi-hop", "Who is the mayor of Port Alder?", "Where was #1 born?"),
            answer(("The mayor is Ines Varga.", [1])),
            answer(("Ines Varga was born in Szeged.", [1])),
            ENOUGH,
            written(("The mayor, Ines Varga, was born in Szeged.", [1, 2])),
            SUPPORTED,
        ]
    )


async def test_a_question_is_asked_watched_and_read(app_with: MakeApp, documents: Path) -> None:
    app = app_with(mayor_engine())
    async with app.run_test(size=(80, 24)) as pilot:
        await ask(pilot, "Who is the mayor and where was that person born?", documents)
        await until(pilot, lambda: isinstance(app.screen, RunScreen))
        run = app.open_runs[0]
        await until(pilot, lambda: not run.under_way)
        assert run.problem is None
        await until(pilot, lambda: "Szeged" in screen_text(app))
        shown = screen_text(app)
        print(shown)
        assert "answered" in shown
        assert "Sources" in shown
