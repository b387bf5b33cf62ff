"""One round of searching: every query in every source, fused, said as events."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import Cancelled, LeadlineError, SearchError
from ..evidence import Page
from .events import PageRead, PageRecalled, SearchFinished, SearchStarted, Warned
from .rewriting.queries import Query
from .source_need import source_need
from .sources import ChoosingSource, Source, filled, fuse
from .toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Searched:
    """The pages of one round, best first, and which query found what."""

    pages: tuple[Page, ...]
    by_query: tuple[tuple[Query, tuple[str, ...]], ...]
    """Each query with the ids of the pages that it found in any source."""


async def find_pages(
    box: Toolbox, span_id: str, queries: Sequence[str], *, limit: int
) -> list[Page]:
    """The best ``limit`` pages for ``queries``; see :func:`search`."""
    weighted = [Query(text=query) for query in queries]
    return list((await search(box, span_id, queries[0], weighted, limit=limit)).pages)


async def search(
    box: Toolbox,
    span_id: str,
    question: str,
    queries: Sequence[Query],
    *,
    limit: int,
    room: int = 0,
) -> Searched:
    """The best ``limit`` pages for ``queries``, fused by weight and rank, charged to the budget.

    ``question`` is what the queries are about.

    Where these are short, more of what was found is added until they hold ``room`` characters.

    Raises:
        SearchError: no source could be searched.
        Cancelled: the run's deadline was set.
    """
    sources = await _told_need(box, span_id, question)
    jobs = [(source, query) for query in queries for source in sources]
    results = await asyncio.gather(
        *(_find(box, span_id, source, query.text, limit=2 * limit) for source, query in jobs)
    )
    rankings: list[tuple[Query, list[Page]]] = []
    errors: list[LeadlineError] = []
    for (_, query), found in zip(jobs, results, strict=True):
        if isinstance(found, LeadlineError):
            errors.append(found)
        else:
            rankings.append((query, found))
    # That one source knows of nothing, such as memory, does not make up for one that is down.
    if errors and not any(found for _, found in rankings):
        raise _nothing_searched(errors)
    weights = [query.weight for query, _ in rankings]
    fused = fuse([found for _, found in rankings], limit=None, weights=weights)
    pages = filled(fused, limit, room)
    box.budget.charge(pages=len(pages))
    for page in pages:
        box.emit(
            PageRead(
                span_id=span_id,
                page_id=page.page_id,
                url=page.final_url,
                title=page.title,
                characters=len(page.text),
            )
        )
    looked_at = max(limit, len(pages))
    by_query = tuple(
        (query, tuple(page.page_id for page in found[:looked_at])) for query, found in rankings
    )
    return Searched(tuple(pages), by_query)


async def _told_need(box: Toolbox, span_id: str, question: str) -> list[Source]:
    """The sources; those that choose whom they ask are told what kind of source ``question`` needs.

    The engine is asked once for a question: the journal keeps what it said for the next round.
    """
    choosing = [s for s in box.sources if isinstance(s, ChoosingSource) and s.chooses]
    if not (box.effort.source_need and choosing):
        return list(box.sources)
    try:
        need = await source_need(question, box.engine, cancel=box.deadline)
    except Cancelled:
        raise
    except LeadlineError as error:
        box.emit(Warned(span_id=span_id, message=f"sources are chosen by the question: {error}"))
        return list(box.sources)
    return [
        s.needing(need) if isinstance(s, ChoosingSource) and s.chooses else s for s in box.sources
    ]


async def _find(
    box: Toolbox, span_id: str, source: Source, query: str, *, limit: int
) -> list[Page] | LeadlineError:
    """Pages of one source, or why it failed, which is said but does not stop the others."""
    box.emit(SearchStarted(span_id=span_id, source=source.name, query=query))
    try:
        found = await source.find(query, limit=limit, cancel=box.deadline)
    except Cancelled:
        raise
    except LeadlineError as error:
        box.emit(Warned(span_id=span_id, message=str(error)))
        return error
    for warning in found.warnings:
        box.emit(Warned(span_id=span_id, message=warning))
    for recalled in found.recalled:
        box.emit(
            PageRecalled(
                span_id=span_id,
                page_id=recalled.page_id,
                url=recalled.url,
                claim=recalled.claim,
                earlier_run=recalled.run_id,
                found_at=recalled.found_at,
            )
        )
    box.emit(
        SearchFinished(span_id=span_id, source=source.name, query=query, found=len(found.pages))
    )
    return list(found.pages)


def _nothing_searched(errors: list[LeadlineError]) -> LeadlineError:
    """One error for all sources and queries that failed."""
    problems = {error.problem: error for error in errors}
    if len(problems) == 1:
        return errors[0]
    return SearchError(
        f"no source could be searched ({'; '.join(problems)})", remedy="see `leadline doctor`"
    )
