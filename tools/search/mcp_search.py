"""Search by a tool of an MCP server (Model Context Protocol, https://modelcontextprotocol.io).

The server gets a query and gives text; it gets nothing else, and no model sees what it says of
itself. Addresses in its answer are fetched behind the guard like any other; text without any is
kept as a page of its own. It is offered no sampling, no roots and no elicitation.
"""

from __future__ import annotations

import asyncio
import importlib.util
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import from_json

from ...cancellation import Cancellation, unless_cancelled
from ...errors import ConfigError, LeadlineError, SearchError
from ..host_slots import HostSlots
from .api_search import named_address
from .mcp_tools import PinnedTools, SearchTool, ToolListing, choose_tool
from .protocol import SearchResult, ranked

if TYPE_CHECKING:
    from mcp import Client
    from mcp.client._transport import TransportStreams

PREFIX = "mcp:"
"""What marks an MCP server among ``search_backends``."""
_MOST_BYTES = 4 * 1024 * 1024
_MOST_CHARACTERS = 200_000
_MOST_LISTINGS = 5
_ADDRESS = re.compile(r"https?://[^\s<>\"'\])}]+")
_TRY_LATER = "look at the server, or set other search_backends"


class _Hit(BaseModel):
    model_config = ConfigDict(extra="ignore")

    url: str = Field(validation_alias=AliasChoices("url", "link", "href", "uri"))
    title: str = Field(default="", validation_alias=AliasChoices("title", "name"))
    snippet: str = Field(
        default="",
        validation_alias=AliasChoices("snippet", "content", "description", "text", "body"),
    )


class McpSearch:
    """The server ``name`` at ``server``: an http(s) address, or a command line that starts it.

    ``tool`` names one of its tools; without it the first that takes a query is asked. ``key`` is
    sent to an address as a bearer token. A server is started, or connected to, for each search,
    and gets ``seconds`` for it.

    Raises:
        ConfigError: the address or the command line cannot be read.
    """

    def __init__(
        self,
        name: str,
        server: str,
        *,
        pins: PinnedTools,
        tool: str = "",
        key: SecretStr | None = None,
        seconds: float = 30.0,
    ) -> None:
        self._server, self._wanted, self._pins = name, tool, pins
        self._key, self._seconds = key, seconds
        self._turns = HostSlots(total=2, per_host=2, delay=0.0)
        self._url, self._command = "", []
        if server.startswith(("http://", "https://")):
            self._url, self._guard = named_address(name, server, server, setting="mcp_servers")
            return
        try:
            self._command = shlex.split(server)
        except ValueError as error:
            raise ConfigError(
                f"the command line of the MCP server {name} cannot be read ({error})",
                remedy="correct it in mcp_servers",
            ) from error

    @property
    def name(self) -> str:
        return f"{PREFIX}{self._server}" + (f"/{self._wanted}" if self._wanted else "")

    @property
    def description(self) -> str:
        """What its tool said of itself when it was first used; until then only its name."""
        pinned = self._pins.pinned(self._server, self._wanted)
        return f"{self._server}: {pinned.description}" if pinned else self._server

    def why_not(self) -> list[str]:
        reasons = []
        if importlib.util.find_spec("mcp") is None:
            reasons.append("the MCP library is not installed: pip install 'leadline[mcp]'")
        if not self._url and not self._command:
            reasons.append(f"mcp_servers has neither an address nor a command for {self._server}")
        elif self._command and shutil.which(self._command[0]) is None:
            reasons.append(f"there is no command {self._command[0]!r}, which starts {self._server}")
        return reasons

    async def search(self, query: str, *, limit: int, cancel: Cancellation) -> list[SearchResult]:
        for reason in self.why_not():
            raise SearchError(f"{self.name} cannot search", remedy=reason)
        try:
            async with self._turns.slot(self._server), asyncio.timeout(self._seconds):
                tool, text = await unless_cancelled(self._ask(query, limit), cancel)
        except LeadlineError:
            raise
        except TimeoutError as error:
            raise SearchError(
                f"{self.name} did not answer within {self._seconds:g} s", remedy=_TRY_LATER
            ) from error
        except Exception as error:  # strangers' servers find new ways through the library
            raise SearchError(
                f"{self.name} failed ({_reason(error)})", remedy=_TRY_LATER
            ) from error
        own = f"{PREFIX}{self._server}/{tool.name}?{urlencode({tool.query: query})}"
        return results(text, own, limit)

    async def _ask(self, query: str, limit: int) -> tuple[SearchTool, str]:
        """The tool that was asked, and the text that it gave."""
        from mcp import Client, types

        async with Client(self._connection(), cache=None) as client:
            tool = choose_tool(self._server, await _listing(client), self._wanted)
            await asyncio.to_thread(self._pins.hold, self._server, self._wanted, tool)
            # Not Client.call_tool: it checks the answer by a schema of the server's own making,
            # whose patterns can keep the processor busy for ever.
            answer = await client.session.send_request(
                types.CallToolRequest(
                    params=types.CallToolRequestParams(
                        name=tool.name, arguments=tool.arguments(query, limit)
                    )
                ),
                types.CallToolResult,
            )
        parts = [block.text for block in answer.content if isinstance(block, types.TextContent)]
        text = "\n\n".join(parts)[:_MOST_CHARACTERS]
        if answer.is_error:
            raise SearchError(f"{self.name} reports an error ({_one_line(text)})")
        return tool, text

    def _connection(self) -> AbstractAsyncContextManager[TransportStreams]:
        from .mcp_transports import over_http, over_stdio

        if self._command:
            return over_stdio(self._command, most=_MOST_BYTES)
        return over_http(self._url, self._guard, self._key, most=_MOST_BYTES, seconds=self._seconds)


async def _listing(client: Client) -> list[ToolListing]:
    tools: list[ToolListing] = []
    cursor: str | None = None
    for _ in range(_MOST_LISTINGS):
        page = await client.list_tools(cursor=cursor)
        tools += [ToolListing(t.name, t.description or "", t.input_schema) for t in page.tools]
        if not (cursor := page.next_cursor):
            break
    return tools


def results(text: str, own: str, limit: int) -> list[SearchResult]:
    """What a tool's ``text`` comes to: the hits of a JSON list, or the text itself, kept at the
    address ``own``, with the addresses that it names."""
    text = text.encode("utf-8", "replace").decode().strip()
    if not text:
        return []
    if hits := list(_hits(text)):
        return ranked(hits, limit)
    named = [(match[0].rstrip(".,;:"), "", "") for match in _ADDRESS.finditer(text)]
    found = ranked(named, limit - 1)
    itself = SearchResult(own, "", _one_line(text), 1, text=text)
    return [itself, *(SearchResult(r.url, r.title, r.snippet, r.rank + 1) for r in found)]


def _hits(text: str) -> Iterator[tuple[str, str, str]]:
    """The entries with an address in a JSON list, or in the first list that a JSON object holds."""
    try:
        data = from_json(text)  # its depth is bounded, the standard library's is the stack's
    except ValueError:
        return
    if isinstance(data, dict):
        data = next((value for value in data.values() if isinstance(value, list)), [])
    for entry in data if isinstance(data, list) else []:
        try:
            hit = _Hit.model_validate(entry)
        except ValidationError:
            continue
        yield hit.url, hit.title, hit.snippet


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return _one_line(str(error)) or type(error).__name__


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]
