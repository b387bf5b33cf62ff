"""The screens that keep things, at 80×24, without colour, mouse and UTF-8."""

from __future__ import annotations

import pytest

from leadline.tui.ascii_filter import AsciiFilter

from ..kept_runs import keep_run
from .conftest import idle_app, screen_text, until

SEEN = {
    "ctrl+r": "When was the harbour opened?",
    "f2": "Plans and writes",
    "f3": "qwen2.5-coder-1.5b",
    "f1": "Everywhere",
}


@pytest.mark.parametrize(("key", "expected"), SEEN.items())
async def test_a_plain_terminal_is_enough(
    key: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    keep_run("When was the harbour opened?", status="failed")
    app = idle_app()
    app.plain_filters.append(AsciiFilter())
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press(key)
        await until(pilot, lambda: expected in screen_text(app))
        shown = screen_text(app)
        assert shown.isascii()
        assert "Back" in shown
        await pilot.press("escape")
        await until(pilot, lambda: "What would you like to know?" in screen_text(app))
