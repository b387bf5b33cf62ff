"""Two reports side by side: which sources they share, and what each has alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..evidence import Citation
from .report import Report


@dataclass(frozen=True, slots=True)
class SourcePage:
    """A page that a report cites."""

    page_id: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class RunComparison:
    """Cited pages of two reports. The same page may have been read in several states.

    Pages are the same if they are of one address; where addresses differ, if their bytes agree.
    """

    common: tuple[SourcePage, ...]
    only_first: tuple[SourcePage, ...]
    only_second: tuple[SourcePage, ...]


def compare(first: Report, second: Report) -> RunComparison:
    """Compare what two reports rest on; pages stand in the order in which they are cited."""
    mine, theirs = list(cited_pages(first)), list(cited_pages(second))
    return RunComparison(
        common=tuple(page for page in mine if _among(page, theirs)),
        only_first=tuple(page for page in mine if not _among(page, theirs)),
        only_second=tuple(page for page in theirs if not _among(page, mine)),
    )


def cited_pages(report: Report) -> Iterator[SourcePage]:
    """The pages that a report's claims or a table's cells cite, each address once."""
    seen: set[str] = set()
    for citation in _citations(report):
        if citation.url not in seen:
            seen.add(citation.url)
            yield SourcePage(citation.page_id, citation.title, citation.url)


def _citations(report: Report) -> Iterator[Citation]:
    for claim in report.claims:
        yield from claim.citations
    if report.table is not None:
        for row in report.table.rows:
            for cell in row.values():
                yield from cell.citations


def _among(page: SourcePage, others: list[SourcePage]) -> bool:
    return any(page.url == other.url or page.page_id == other.page_id for other in others)
