"""Where the rows of lists and the cells of tables lead: pages, and spans in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..agent.tables.wide_table import Cell
from ..evidence import Citation, Span
from ..safe_text import safe_line
from ..tools.corpus_sources import path_of, printable
from .best_evidence import EvidenceView
from .run_view import PageView, RunView, WorkView
from .widgets.report_view import sources_of


@dataclass(frozen=True, slots=True)
class Place:
    """Where to open a page: at a span, or at its beginning."""

    page_id: str
    title: str
    url: str
    span: Span | None = None
    question: str = ""
    """What the span was read for."""
    sheet: int | None = None

    @property
    def address(self) -> str:
        """For people: the path of a file, the address of anything else."""
        if not self.url.startswith("file:"):
            return safe_line(self.url)
        return safe_line(printable(path_of(self.url)))


def places_of_row(view: RunView, row_id: str, node_id: str | None) -> tuple[list[Place], int]:
    """The places among which a row's is one, and its number; none if the row leads nowhere.

    ``row_id`` is that of a row of the findings for ``node_id``, or of the report.
    """
    kind, _, rest = row_id.partition(":")
    if kind in ("claim", "source"):
        return _places_in_report(view, kind, int(rest))
    work = view.works().get(node_id or "")
    if work is None:
        return [], 0
    question = view.nodes[node_id].text if node_id in view.nodes else view.question
    if kind == "page" and rest in work.pages:
        return [_of_page(work.pages[rest], work, question)], 0
    found = list(work.evidence)
    keys = [
        f"{e.evidence.span.page_id}:{e.evidence.span.start}:{e.evidence.span.end}" for e in found
    ]
    if kind == "quote" and rest in keys:
        return [_of_evidence(each) for each in found], keys.index(rest)
    return [], 0


def places_of_cell(view: RunView, key: Sequence[str], column: str, cell: Cell) -> list[Place]:
    """What a cell rests on, then what other pages say instead."""
    citations = [*cell.citations, *(other.citation for other in cell.alternatives)]
    question = f"{' '.join(key)} {column}"
    return [_of_citation(citation, question) for citation in citations]


def _places_in_report(view: RunView, kind: str, number: int) -> tuple[list[Place], int]:
    claims = list(view.claims.values())
    if kind == "claim":
        claim = claims[number]
        return [_of_citation(citation, claim.text) for citation in claim.citations], 0
    return [_of_citation(citation, view.question) for citation in sources_of(claims)], number


def _of_citation(citation: Citation, question: str) -> Place:
    return Place(
        citation.page_id, citation.title, citation.url, citation, question, sheet=citation.sheet
    )


def _of_evidence(found: EvidenceView) -> Place:
    evidence = found.evidence
    return Place(evidence.span.page_id, found.title, found.url, evidence.span, evidence.question)


def _of_page(page: PageView, work: WorkView, question: str) -> Place:
    """The page, at its best quote if it has one."""
    for found in work.evidence:
        if found.evidence.span.page_id == page.page_id:
            return _of_evidence(found)
    return Place(page.page_id, page.title, page.url, question=question)
