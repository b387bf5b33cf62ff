"""A real Chromium, driven by its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_WINDOW = "1280,800"


class Tab:
    """One page of the browser."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = count(1)

    async def call(self, method: str, **parameters: object) -> dict[str, Any]:
        """The protocol's method; events that come meanwhile are passed over."""
        number = next(self._numbers)
        call = {"id": number, "method": method, "params": parameters}
        await self._socket.send(json.dumps(call))
        while True:
            message = json.loads(await self._socket.recv())
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    async def click(self, x: int, y: int) -> None:
        for kind in ("mousePressed", "mouseReleased"):
            await self.call(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1
            )

    async def type(self, text: str) -> None:
        await self.call("Input.insertText", text=text)

    async def press(self, key: str, code: int, text: str = "") -> None:
        # A key that writes nothing is told raw, as a keyboard does.
        for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
            await self.call(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}),
            )

    async def evaluate(self, expression: str) -> Any:
        found = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return found["result"].get("value")

    async def picture(self) -> bytes:
        """What is seen, as a PNG."""
        shot = await self.call("Page.captureScreenshot", format="png")
        return base64.b64decode(shot["data"])


@contextlib.asynccontextmanager
async def opened_tab(url: str, profile: Path) -> AsyncIterator[Tab]:
    """A tab at ``url``; skips where there is no Chromium."""
    program = next(filter(None, map(shutil.which, _NAMES)), None)
    if program is None:
        pytest.skip("there is no Chromium here")
    process = await asyncio.create_subprocess_exec(
        program,
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"),
        *(f"--user-data-dir={profile}", f"--window-size={_WINDOW}", url),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        port = await _debugging_port(process.stderr)
        async with connect(await _page_socket(port), max_size=None) as socket:
            tab = Tab(socket)
            # Without a window nothing has the focus, and the application takes itself for left.
            await tab.call("Emulation.setFocusEmulationEnabled", enabled=True)
            yield tab
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def _debugging_port(stderr: asyncio.StreamReader) -> int:
    async for line in stderr:
        if b"DevTools listening on" in line:
            return int(line.split(b"://")[1].split(b"/")[0].rpartition(b":")[2])
    raise AssertionError("Chromium did not start")


async def _page_socket(port: int) -> str:
    async with httpx.AsyncClient() as client:
        while True:
            listed = (await client.get(f"http://127.0.0.1:{port}/json/list")).json()
            for target in listed:
                if target["type"] == "page":
                    return str(target["webSocketDebuggerUrl"])
            await asyncio.sleep(0.1)
