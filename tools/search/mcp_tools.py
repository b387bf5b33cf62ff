"""Which tool of an MCP server searches, and whether it is still the one that was seen first.

A server may change what its tools say of themselves after a user has come to trust them; so the
first listing is pinned, and another one is refused.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...errors import SearchError
from ...storage import write_atomically
from ..quarantine import neutralise

_QUERY_NAMES = ("query", "q", "question", "search_query", "search", "text", "term")
_LIMIT_NAMES = ("limit", "max_results", "num_results", "count", "top_k", "k", "n")
_DESCRIPTION_LENGTH = 1000


class _Property(BaseModel):
    model_config = ConfigDict(extra="ignore")

    type: str | list[str] | None = None

    def takes(self, kind: str) -> bool:
        return self.type == kind or (isinstance(self.type, list) and kind in self.type)


class _InputSchema(BaseModel):
    """What is looked at of a tool's JSON schema; what is of another shape is no search tool."""

    model_config = ConfigDict(extra="ignore")

    properties: dict[str, _Property] = Field(default_factory=dict)
    required: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SearchTool:
    """A tool that takes a query and gives text. All of it was written by the server."""

    name: str
    description: str
    """For matching only: it enters no prompt."""
    query: str
    """The argument that takes the query."""
    limit: str | None
    """The argument that takes the number of results, where there is one."""

    def arguments(self, query: str, limit: int) -> dict[str, object]:
        return {self.query: query, **({self.limit: limit} if self.limit else {})}


@dataclass(frozen=True, slots=True)
class ToolListing:
    """A tool as its server lists it."""

    name: str
    description: str
    input_schema: object


def choose_tool(server: str, listing: Sequence[ToolListing], wanted: str) -> SearchTool:
    """The tool called ``wanted``; without a name the first that searches, "search" in its name first.

    A tool searches if it can be called with one string and, at most, a number of results.

    Raises:
        SearchError: there is none.
    """
    usable = [tool for entry in listing if (tool := _search_tool(entry))]
    named = [tool for tool in usable if tool.name == wanted] if wanted else usable
    for tool in sorted(named, key=lambda tool: "search" not in tool.name.lower()):
        return tool
    offered = ", ".join(neutralise(tool.name)[:60] for tool in usable[:10]) or "none that searches"
    raise SearchError(
        f"{server} has no tool {wanted!r} that takes a query"
        if wanted
        else f"{server} has no tool that takes a query",
        remedy=f"it offers: {offered}",
    )


def _search_tool(entry: ToolListing) -> SearchTool | None:
    try:
        schema = _InputSchema.model_validate(entry.input_schema)
    except ValidationError:
        return None
    strings = [name for name, value in schema.properties.items() if value.takes("string")]
    needed = [name for name in schema.required if name in strings]
    likely = [name for name in _QUERY_NAMES if name in strings]
    query = next(iter(needed or likely), strings[0] if len(strings) == 1 else None)
    limit = next(
        (
            name
            for name in _LIMIT_NAMES
            if name in schema.properties and schema.properties[name].takes("integer")
        ),
        None,
    )
    if query is None or not {*schema.required} <= {query, limit}:
        return None
    description = " ".join(neutralise(entry.description).split())[:_DESCRIPTION_LENGTH]
    return SearchTool(entry.name, description, query, limit)


class PinnedTools:
    """The tools that were chosen at first, one file a server in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def pinned(self, server: str, wanted: str) -> SearchTool | None:
        """The tool of ``server`` that was chosen for ``wanted`` before."""
        try:
            return SearchTool(**json.loads(self._file(server, wanted).read_text("utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def hold(self, server: str, wanted: str, tool: SearchTool) -> None:
        """Keep ``tool`` if it is the first, else see that it is the same.

        Raises:
            SearchError: the server describes it otherwise than before.
            StorageError: the disk refused.
        """
        known = self.pinned(server, wanted)
        if known is None:
            write_atomically(self._file(server, wanted), json.dumps(asdict(tool)))
        elif known != tool:
            raise SearchError(
                f"{server} describes its tool {known.name} otherwise than when it was first used",
                remedy=f"look at what changed; to accept it remove {self._file(server, wanted)}",
            )

    def _file(self, server: str, wanted: str) -> Path:
        name = "".join(
            c if c.isalnum() or c in "-_" else "_" for c in f"{server}.{wanted or 'any'}"
        )
        return self._folder / f"{name}.json"
