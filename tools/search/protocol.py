"""What every search backend offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ...cancellation import Cancellation

WHOLE_WEB = (
    "Any page of the web: latest news and recent events, releases, products, companies, prices, "
    "sport results, official sites, forums, opinions, how-to guides."
)
"""What general search services find."""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One hit. Everything in it was written by strangers."""

    url: str
    """http or https; of a result with a ``text`` where the backend has it from."""
    title: str
    snippet: str
    rank: int
    """1 is the best."""
    text: str = ""
    """What the backend gives instead of a page; empty where there is a page to fetch."""


class SearchBackend(Protocol):
    """Finds addresses of pages for a query."""

    @property
    def name(self) -> str:
        """As in the setting ``search_backends``."""

    @property
    def description(self) -> str:
        """What can be found by it, for matching a question against it."""

    def why_not(self) -> list[str]:
        """Every reason known without asking anybody why a search cannot work; empty if none."""

    async def search(self, query: str, *, limit: int, cancel: Cancellation) -> list[SearchResult]:
        """At most ``limit`` results, best first; empty when nothing was found.

        Raises:
            SearchError: the backend is not usable, did not answer or talked nonsense.
            Cancelled: stopped.
        """


def ranked(hits: list[tuple[str, str, str]], limit: int) -> list[SearchResult]:
    """Results of (url, title, snippet), best first: web addresses only, each once."""
    seen: dict[str, tuple[str, str, str]] = {}
    for url, title, snippet in hits:
        if url.lower().startswith(("http://", "https://")):
            seen.setdefault(url, (url, _one_line(title), _one_line(snippet)))
    kept = list(seen.values())[:limit]
    return [SearchResult(*hit, rank=rank) for rank, hit in enumerate(kept, start=1)]


def _one_line(text: str) -> str:
    return " ".join(text.split())
