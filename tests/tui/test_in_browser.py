"""The application in a real browser: it loads, a question is asked, its report is there."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from leadline.agent.run_store import RunStore
from leadline.locations import locations
from leadline.storage import write_atomically

from ..willing_endpoint import willing_endpoint
from .browser import Tab, opened_tab

pytestmark = pytest.mark.slow

PATIENCE_SECONDS = 240.0
_DRAWING_SECONDS = 6.0


@pytest.fixture
def model() -> Iterator[str]:
    with willing_endpoint() as url:
        yield url


@pytest.fixture
async def address(model: str) -> AsyncIterator[str]:
    """Where the application is served."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "LEADLINE_ENDPOINT": model,
        "LEADLINE_MODEL": "served",
        "LEADLINE_READER": "none",
        "LEADLINE_EMBEDDER": "none",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "leadline", "serve", "--port", str(port)),
        env=os.environ | settings,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await _until(lambda: _answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def _answers(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_a_question_is_asked_in_a_browser(address: str, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "harbour.md").write_text("The harbour of Port Alder opened in 1902.\n")
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        opened_tab(address, tmp_path / "profile") as tab,
    ):
        await _until(lambda: _is_drawn(tab))
        await asyncio.sleep(_DRAWING_SECONDS)
        asking = await tab.picture()
        await tab.click(300, 100)  # the terminal has to have the focus
        await tab.type("When was the harbour of Port Alder opened?")
        await tab.click(100, 200)  # not the web
        await tab.click(100, 238)  # a folder
        await tab.type(str(folder))
        await asyncio.sleep(_DRAWING_SECONDS)
        asked = await tab.picture()
        await tab.press("Enter", 13, "\r")
        await _until(_is_finished)
        await asyncio.sleep(_DRAWING_SECONDS)
        answered = await tab.picture()
    if pictures := os.environ.get("LEADLINE_TEST_PICTURES"):
        write_atomically(Path(pictures, "browser-asking.png"), asking)
        write_atomically(Path(pictures, "browser-asked.png"), asked)
        write_atomically(Path(pictures, "browser-report.png"), answered)
    report = RunStore(locations().runs).get("last").report
    assert report is not None
    assert report.status == "complete"
    assert "1902" in report.markdown
    assert "1902" in report.claims[0].text
    assert "The harbour of Port Alder opened in 1902." in report.claims[0].citations[0].quote


async def _until(condition: Callable[[], Awaitable[bool]]) -> None:
    while True:
        if await condition():
            return
        await asyncio.sleep(0.3)


async def _is_drawn(tab: Tab) -> bool:
    """Whether the application has sent its first byte to the page."""
    return bool(await tab.evaluate("document.body.classList.contains('-first-byte')"))


async def _is_finished() -> bool:
    runs = RunStore(locations().runs).all()
    return bool(runs) and runs[0].report is not None
