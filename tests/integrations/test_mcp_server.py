"""The MCP server in a process of its own, asked by the official client."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters, stdio_client

from leadline import Report
from own_engine import QUESTION

HERE = Path(__file__).parent


def server(documents: Path, *arguments: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable,
        args=[str(HERE / "serve_mcp.py"), str(documents), *arguments],
        env={**os.environ, "PYTHONPATH": str(HERE.parents[1] / "examples")},
    )


async def test_the_four_tools_answer_and_tell_their_progress(documents: Path) -> None:
    told: list[str] = []

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        told.append(message or "")

    async with Client(stdio_client(server(documents))) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        found = await client.call_tool("search", {"query": QUESTION, "limit": 1})
        quoted = await client.call_tool(
            "read", {"source": str(documents / "ferry.md"), "question": "When does it leave?"}
        )
        answered = await client.call_tool(
            "research", {"question": QUESTION}, progress_callback=tell
        )
        failed = await client.call_tool("read", {"source": "nowhere", "question": "What?"})
    assert set(tools) == {"research", "table", "read", "search"}
    assert set(tools["research"].input_schema["properties"]) == {"question", "seconds"}
    assert found.structured_content is not None
    assert found.structured_content["pages"][0]["title"] == "Harbour"
    assert quoted.structured_content is not None
    assert "07:30" in quoted.structured_content["evidence"][0]["quote"]
    assert answered.structured_content is not None
    report = Report.from_dict(answered.structured_content)
    assert "opened in 1902" in report.claims[0].citations[0].quote
    assert any(message.startswith("plan (fact): ") for message in told)
    assert any(message.startswith("q1  answered: ") for message in told)
    assert failed.is_error
    assert "no file or folder" in str(failed.content)


async def test_a_request_that_is_cancelled_stops_its_run(documents: Path, tmp_path: Path) -> None:
    said = tmp_path / "stderr"

    async def until(word: str) -> None:
        async with asyncio.timeout(60):
            while word not in said.read_text():  # noqa: ASYNC110 a file tells nobody that it grew
                await asyncio.sleep(0.05)

    with said.open("w") as errlog:
        await _cancelled(Client(stdio_client(server(documents, "stuck"), errlog=errlog)), until)


async def _cancelled(stuck: Client, until: Callable[[str], Awaitable[None]]) -> None:
    async with stuck as client:
        task = asyncio.create_task(client.call_tool("research", {"question": QUESTION}))
        await until("asked")
        task.cancel()
        await until("stopped")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await client.list_tools()).tools
