"""MCP servers as search tools, against real servers in processes of their own."""

from __future__ import annotations

import asyncio
import json
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ConfigError, SearchError
from leadline.settings import Settings
from leadline.tools.fetch import Fetcher
from leadline.tools.page_store import PageStore
from leadline.tools.search.configured import search_backend
from leadline.tools.search.mcp_search import McpSearch, results
from leadline.tools.search.mcp_tools import PinnedTools, ToolListing, choose_tool
from leadline.tools.search.protocol import SearchResult
from leadline.tools.web_pages import WebPages

SERVER = Path(__file__).with_name("mcp_server.py")


def server(tmp_path: Path, way: str = "", *, tool: str = "", seconds: float = 60.0) -> McpSearch:
    command = shlex.join([sys.executable, str(SERVER), way])
    return McpSearch("soundings", command, pins=PinnedTools(tmp_path), tool=tool, seconds=seconds)


async def test_hits_of_a_server(tmp_path: Path, cancel: Cancellation) -> None:
    backend = server(tmp_path)
    assert backend.why_not() == []
    assert backend.description == "soundings"
    found = await backend.search("lead line", limit=5, cancel=cancel)
    assert found == [
        SearchResult("https://harbour.example/lead", "Lead lines", "By the mark", 1),
        SearchResult("http://127.0.0.1/steal", "Inside", "", 2),
    ]
    assert backend.description == "soundings: Soundings of harbours."
    assert len(await backend.search("lead line", limit=1, cancel=cancel)) == 1


async def test_text_is_kept_as_a_page(tmp_path: Path, cancel: Cancellation) -> None:
    itself, named = await server(tmp_path, "text").search("quay", limit=5, cancel=cancel)
    assert named.url == "https://harbour.example/chart"
    assert itself.url == "mcp:soundings/search_soundings?query=quay"
    store = PageStore(tmp_path / "pages")
    async with Fetcher() as fetcher:
        page = await WebPages(fetcher, store).keep_text(itself.text, itself.url)
    assert page == store.get(page.page_id)
    assert (page.title, page.url) == ("Soundings", itself.url)
    assert "nine fathoms deep" in page.text
    store.close()


@pytest.fixture
def http_server() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(SERVER), "http", str(port)], stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            break
        except OSError:
            time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/mcp"
    process.kill()
    process.wait()


async def test_a_server_over_http(tmp_path: Path, http_server: str, cancel: Cancellation) -> None:
    backend = McpSearch("soundings", http_server, pins=PinnedTools(tmp_path))
    found = await backend.search("lead line", limit=5, cancel=cancel)
    assert [hit.url for hit in found] == ["https://harbour.example/lead", "http://127.0.0.1/steal"]


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("hang", "did not answer within"),
        ("silent", "did not answer within"),
        ("garbage", "did not answer within"),
        ("endless line", "failed"),
        ("huge", "failed"),
        ("dies", "failed"),
        ("error", "reports an error"),
    ],
)
async def test_a_misbehaving_server_costs_only_itself(
    tmp_path: Path, cancel: Cancellation, way: str, reason: str
) -> None:
    seconds = 60.0 if way in ("endless line", "huge", "dies", "error") else 8.0
    started = time.monotonic()
    with pytest.raises(SearchError) as caught:
        await server(tmp_path, way, seconds=seconds).search("quay", limit=5, cancel=cancel)
    assert reason in caught.value.problem
    assert len(str(caught.value).splitlines()) == 1
    assert time.monotonic() - started < seconds + 4


async def test_a_server_whose_tool_changes_is_refused(tmp_path: Path, cancel: Cancellation) -> None:
    await server(tmp_path).search("quay", limit=5, cancel=cancel)
    with pytest.raises(SearchError, match="otherwise than when it was first used") as caught:
        await server(tmp_path, "changed").search("quay", limit=5, cancel=cancel)
    assert caught.value.remedy
    assert "files" not in server(tmp_path, "changed").description


async def test_a_server_sees_no_keys(
    tmp_path: Path, cancel: Cancellation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_BRAVE_KEY", "secret")
    [itself, *_] = await server(tmp_path, "environment").search("quay", limit=5, cancel=cancel)
    assert "PATH" in json.loads(itself.text)
    assert "secret" not in itself.text


async def test_a_server_leaves_no_process_behind(tmp_path: Path, cancel: Cancellation) -> None:
    [itself] = await server(tmp_path, "children").search("quay", limit=5, cancel=cancel)
    pid = itself.text.removeprefix("child ")
    deadline = time.monotonic() + 5
    while _lives(pid):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


def _lives(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_search_can_be_stopped(tmp_path: Path, cancel: Cancellation) -> None:
    search = asyncio.create_task(server(tmp_path, "hang").search("quay", limit=5, cancel=cancel))
    await asyncio.sleep(0.5)
    cancel.cancel()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        await search
    assert time.monotonic() - started < 2


def test_the_settings_name_servers(home: Path) -> None:
    settings = Settings(mcp_servers={"files": "no-such-command --quiet", "web": "ftp://x"})
    backend = search_backend("mcp:files/find", settings)
    assert backend.name == "mcp:files/find"
    assert "no-such-command" in backend.why_not()[0]
    with pytest.raises(ConfigError, match="no MCP server 'charts'"):
        search_backend("mcp:charts", settings)
    with pytest.raises(ConfigError, match="cannot be used"):
        search_backend("mcp:web", Settings(mcp_servers={"web": "http://user@x/"}))
    with pytest.raises(ConfigError, match="cannot be read"):
        search_backend("mcp:web", Settings(mcp_servers={"web": "'unclosed"}))


def listing(name: str, properties: object, *required: str) -> ToolListing:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return ToolListing(name, "", schema)


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def test_a_tool_that_searches_is_chosen() -> None:
    tools = [
        listing("delete", {"path": TEXT, "force": {"type": "boolean"}}, "path", "force"),
        listing("echo", {"anything": TEXT}, "anything"),
        listing("web_search", {"query": TEXT, "count": NUMBER, "lang": TEXT}, "query"),
        ToolListing("broken", "", ["no", "schema"]),
        listing("broken_search", {"query": 7}),
    ]
    tool = choose_tool("s", tools, "")
    assert (tool.name, tool.arguments("x", 3)) == ("web_search", {"query": "x", "count": 3})
    assert choose_tool("s", tools, "echo").arguments("x", 3) == {"anything": "x"}
    for wanted in ("delete", "broken", "nothing"):
        with pytest.raises(SearchError, match="no tool"):
            choose_tool("s", tools, wanted)
    with pytest.raises(SearchError, match="no tool that takes a query"):
        choose_tool("s", [], "")


@pytest.mark.parametrize(
    "text",
    ["", "   ", "[]", "{}", "[" * 100_000, '{"results": [{"url": 7}]}', "null", '"a"', "\ud800"],
)
def test_any_text_is_an_answer(text: str) -> None:
    for result in results(text, "mcp:x", 3):
        assert result.text or result.url.startswith("http")
