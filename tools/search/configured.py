"""The search backends that the settings name."""

from __future__ import annotations

from ...errors import ConfigError
from ...settings import Settings
from .ddgs_search import DdgsSearch
from .protocol import SearchBackend
from .searxng_search import SearxngSearch

BACKEND_NAMES = ("ddgs", "searxng")


def search_backends(settings: Settings) -> list[SearchBackend]:
    """One backend for each name in ``settings.search_backends``, in that order.

    Raises:
        ConfigError: an unknown name, or searxng without a usable ``searxng_url``.
    """
    return [_backend(name, settings) for name in dict.fromkeys(settings.search_backends)]


def _backend(name: str, settings: Settings) -> SearchBackend:
    match name:
        case "ddgs":
            return DdgsSearch()
        case "searxng":
            if settings.searxng_url is None:
                raise ConfigError(
                    "the search backend searxng has no server", remedy="set searxng_url"
                )
            return SearxngSearch(settings.searxng_url)
        case _:
            raise ConfigError(
                f"unknown search backend {name!r}",
                remedy=f"search_backends takes {', '.join(BACKEND_NAMES)}",
            )
