"""Where a searcher finds pages: corpora and the web, behind one protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable

from ..cancellation import Cancellation
from ..evidence import Page
from ..tools.rank_fusion import reciprocal_rank_fusion


@dataclass(frozen=True, slots=True)
class Recalled:
    """What an earlier run said on the strength of a page, and when."""

    page_id: str
    url: str
    claim: str
    run_id: str
    found_at: datetime


@dataclass(frozen=True, slots=True)
class Found:
    """Pages for one query, best first, and what went wrong on the way."""

    pages: tuple[Page, ...]
    warnings: tuple[str, ...] = ()
    recalled: tuple[Recalled, ...] = ()
    """Which of the pages are offered because an earlier run rested on them."""


MOST_PAGES = 40
"""Pages that are taken beyond a limit, where they are short, at most."""


class Source(Protocol):
    """Something that can be searched for pages."""

    @property
    def name(self) -> str:
        """What a user calls it: "web", or a corpus's name."""
        ...

    async def find(self, query: str, *, limit: int, cancel: Cancellation) -> Found:
        """Up to ``limit`` pages for ``query``, stored and with their text.

        Raises:
            SearchError: the source as a whole cannot be searched.
            Cancelled: ``cancel`` was set.
        """
        ...


@runtime_checkable
class ChoosingSource(Source, Protocol):
    """A source that chooses whom it asks by what is searched for."""

    @property
    def chooses(self) -> bool:
        """Whether there is anything to choose from."""
        ...

    def needing(self, need: str) -> Source:
        """The same source, told what kind of source would hold what is searched for."""
        ...


def filled(pages: Sequence[Page], limit: int, characters: int) -> list[Page]:
    """The first ``limit`` of ``pages``; more while they hold less than ``characters`` together."""
    taken = list(pages[:limit])
    held = sum(len(page.text) for page in taken)
    for page in pages[limit:MOST_PAGES]:
        if held >= characters:
            break
        taken.append(page)
        held += len(page.text)
    return taken


def fuse(
    rankings: Sequence[Sequence[Page]], *, limit: int | None, weights: Sequence[float] | None = None
) -> list[Page]:
    """The best ``limit`` pages of several rankings, fused by reciprocal rank; None takes all."""
    pages = {page.page_id: page for ranking in rankings for page in ranking}
    ids = [[page.page_id for page in ranking] for ranking in rankings]
    fused = reciprocal_rank_fusion(ids, weights)
    return [pages[page_id] for page_id, _ in fused[:limit]]
