"""The search backends that the settings name."""

from __future__ import annotations

from collections.abc import Mapping

from ...errors import ConfigError
from ...keys import find_key
from ...locations import locations
from ...settings import Settings
from .api_search import ApiSearch
from .ddgs_search import DdgsSearch
from .keyed_search import BraveSearch, ExaSearch, SerperSearch, TavilySearch
from .mcp_search import PREFIX, McpSearch
from .mcp_tools import PinnedTools
from .protocol import SearchBackend
from .reference_search import ArxivSearch, CrossrefSearch, WikipediaSearch
from .searxng_search import SearxngSearch

_SERVICES: Mapping[str, type[ApiSearch]] = {
    service.name: service
    for service in (
        BraveSearch,
        TavilySearch,
        SerperSearch,
        ExaSearch,
        WikipediaSearch,
        ArxivSearch,
        CrossrefSearch,
    )
}
_CUSTOMARY_VARIABLES = {
    "brave": ("BRAVE_SEARCH_API_KEY", "BRAVE_API_KEY"),
    "tavily": ("TAVILY_API_KEY",),
    "serper": ("SERPER_API_KEY",),
    "exa": ("EXA_API_KEY",),
}
BACKEND_NAMES = ("ddgs", "searxng", *_SERVICES)


def search_backends(settings: Settings) -> list[SearchBackend]:
    """One backend for each name in ``settings.search_backends``, in that order.

    Raises:
        ConfigError: an unknown name, an address that cannot be used, or searxng without one; or
            the file of keys cannot be used.
    """
    return [search_backend(name, settings) for name in dict.fromkeys(settings.search_backends)]


def search_backend(name: str, settings: Settings) -> SearchBackend:
    """The backend ``name``, usable or not; raises ConfigError as :func:`search_backends`."""
    if name == "ddgs":
        return DdgsSearch()
    if name == "searxng":
        if settings.searxng_url is None:
            raise ConfigError("the search backend searxng has no server", remedy="set searxng_url")
        return SearxngSearch(settings.searxng_url)
    if name.startswith(PREFIX):
        return _mcp_search(*name.removeprefix(PREFIX).split("/", 1), settings=settings)
    if service := _SERVICES.get(name):
        return service(
            key=find_key(name, *_CUSTOMARY_VARIABLES[name]) if service.needs_key else None,
            base_url=settings.search_urls.get(name),
            contact=settings.contact,
        )
    raise ConfigError(
        f"unknown search backend {name!r}",
        remedy=f"search_backends takes {', '.join(BACKEND_NAMES)}, and {PREFIX}NAME[/TOOL]",
    )


def _mcp_search(server: str, tool: str = "", *, settings: Settings) -> McpSearch:
    if server not in settings.mcp_servers:
        raise ConfigError(
            f"there is no MCP server {server!r}",
            remedy="write its address or its command line into mcp_servers",
        )
    pins = PinnedTools(locations().state / "mcp")
    return McpSearch(
        server, settings.mcp_servers[server], pins=pins, tool=tool, key=find_key(server)
    )
