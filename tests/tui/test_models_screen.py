from __future__ import annotations

from collections.abc import Callable

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import DownloadError
from leadline.locations import Locations
from leadline.progress import Progress
from leadline.settings import load_settings
from leadline.tui.app import LeadlineApp
from leadline.tui.screens.models import ModelsScreen, missing_models, needed_models

from .conftest import idle_app, screen_text, until


def test_what_the_settings_name_is_needed() -> None:
    settings = load_settings(model="qwen2.5-coder-0.5b", embedder="none")
    assert needed_models(settings) == {"qwen2.5-coder-0.5b": "writes and reads"}
    at_endpoint = load_settings(endpoint="http://127.0.0.1:1/v1", reader="none")
    assert missing_models(at_endpoint) == ["all-minilm-l6-v2"]


async def test_a_machine_without_models_is_welcomed() -> None:
    app = LeadlineApp(load_settings())
    async with app.run_test(size=(80, 24)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ModelsScreen))
        await until(pilot, lambda: "not here" in screen_text(app))
        text = screen_text(app)
        assert "Welcome." in text and "1.7 GB to fetch" in text and "free" in text
        await pilot.press("escape")
        await until(pilot, lambda: "What would you like to know?" in screen_text(app))


async def test_a_pull_shows_its_progress_and_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    async def slow_pull(
        model_id: str,
        *,
        locations: Locations,
        cancel: Cancellation,
        progress: Progress,
        note: Callable[[str], None],
    ) -> None:
        progress(model_id, 250_000_000, 1_117_320_768, "bytes")
        await cancel.wait()
        cancel.check()

    monkeypatch.setattr("leadline.tui.screens.models.pull", slow_pull)
    app = idle_app()
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("f3", "p")
        await until(pilot, lambda: "250 MB of 1.1 GB" in screen_text(app))
        await pilot.press("s")
        await until(pilot, lambda: "Stopped" in screen_text(app))


async def test_a_pull_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    async def failing_pull(model_id: str, **options: object) -> None:
        raise DownloadError(f"cannot download '{model_id}'", remedy="check the network")

    monkeypatch.setattr("leadline.tui.screens.models.pull", failing_pull)
    app = idle_app()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        await pilot.press("f3", "p")
        await until(pilot, lambda: "check the network" in screen_text(app))
