"""Web search: backends behind one protocol, and their fusion."""

from .configured import search_backends
from .multi_search import MultiSearch
from .protocol import SearchBackend, SearchResult

__all__ = ["MultiSearch", "SearchBackend", "SearchResult", "search_backends"]
