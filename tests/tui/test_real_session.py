"""A session with the real half-billion model that plans, reads and writes."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import TabbedContent

from leadline.settings import load_settings
from leadline.tui.app import LeadlineApp

from .conftest import ask, screen_text, until
from .town import QUESTION

_BEAT_SECONDS = 0.01


async def measure_delays(delays: list[float]) -> None:
    """How much later than it asked for this loop wakes up, again and again."""
    while True:
        due = time.perf_counter() + _BEAT_SECONDS
        await asyncio.sleep(_BEAT_SECONDS)
        delays.append(time.perf_counter() - due)


@pytest.mark.slow
async def test_keys_are_answered_while_a_real_model_reads_and_writes(
    real_models: Callable[..., None], documents: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_models("qwen2.5-coder-0.5b")
    monkeypatch.setenv("LEADLINE_MODEL", "qwen2.5-coder-0.5b")
    monkeypatch.setenv("LEADLINE_EMBEDDER", "none")
    app = LeadlineApp(load_settings())
    delays: list[float] = []
    async with app.run_test(size=(100, 30)) as pilot:
        run = await ask(pilot, QUESTION)
        beat = asyncio.create_task(measure_delays(delays))
        await until(pilot, lambda: not run.under_way, seconds=900)
        beat.cancel()
        assert run.problem is None
        assert run.view.report is not None
        await until(pilot, lambda: app.screen.query_one(TabbedContent).active == "report")
        await pilot.pause(0.5)
        print(screen_text(app))
    delays.sort()
    p99 = delays[int(len(delays) * 0.99)]
    print(
        f"{len(delays)} beats: p50 {statistics.median(delays) * 1000:.1f} ms, "
        f"p99 {p99 * 1000:.1f} ms, max {delays[-1] * 1000:.1f} ms"
    )
    assert p99 < 0.05
