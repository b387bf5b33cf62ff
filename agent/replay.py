"""A run once more from its log and the stored pages, offline: the same events, the same report."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ..errors import LeadlineError
from ..evidence import Citation, Page, Span
from ..tools.page_store import PageStore
from .events import Event, EvidenceFound, RunFinished
from .report import Claim, Report, markdown_of
from .run_archive import page_as_read
from .run_store import RunFolder
from .tables.rendering import markdown_report, table_remarks
from .tables.wide_table import WideTable


@dataclass(slots=True)
class Replay:
    """What a replay came to."""

    run_id: str
    events: int = 0
    spans: int = 0
    """Quotes that stand in their pages to the letter."""
    markdown: str | None = None
    """The report, rendered from the log and the pages; None for a run that is unfinished."""
    differences: list[str] = field(default_factory=list)
    """What is not as the run left it."""


def replay(folder: RunFolder, pages: PageStore, on_event: Callable[[Event], None]) -> Replay:
    """Hand every event of the run in ``folder`` to ``on_event``; render its report again. Blocks.

    Nothing is searched, fetched, read or asked of a model. The quotes of the report that is
    rendered are cut from the stored pages, at the offsets that the run noted.

    Raises:
        RunError: the record or the report is damaged.
    """
    return _Replay(folder, pages).run(on_event)


class _Replay:
    def __init__(self, folder: RunFolder, pages: PageStore) -> None:
        self._folder, self._pages = folder, pages
        self._done = Replay(folder.record.run_id)
        self._told: Report | None = None

    def run(self, on_event: Callable[[Event], None]) -> Replay:
        for event in self._events():
            self._take(event)
            on_event(event)
        report = self._folder.report
        if self._told != report:
            self._differs("the log and report.json hold different reports")
        if report is not None:
            self._done.markdown = self._render(report)
            if self._done.markdown != report.markdown:
                self._differs("the report reads otherwise when it is rendered again")
        return self._done

    def _events(self) -> Iterator[Event]:
        for number, event in enumerate(self._folder.events()):
            if event.seq != number or event.run_id != self._done.run_id:
                self._differs(f"event {number} of the log is number {event.seq} of {event.run_id}")
            yield event

    def _take(self, event: Event) -> None:
        self._done.events += 1
        if isinstance(event, EvidenceFound):
            self._page(event.evidence.span, event.url)
        elif isinstance(event, RunFinished):
            self._told = event.report

    def _page(self, span: Span, url: str) -> Page | None:
        """The page of ``span``, if it is kept and holds the quote; else that differs."""
        try:
            page = page_as_read(self._pages, span.page_id, url)
        except LeadlineError:
            self._differs(f"page {span.page_id[:12]} ({url}) is no longer kept")
            return None
        if not page.holds(span):
            self._differs(f"page {span.page_id[:12]} ({url}) does not hold {span.quote[:60]!r}")
            return None
        self._done.spans += 1
        return page

    def _render(self, report: Report) -> str:
        if report.table is not None:
            return self._render_table(report, report.table)
        cited = {
            "claims": tuple(self._checked(claim) for claim in report.claims),
            "unread": tuple(self._cited(citation) for citation in report.unread),
            "contradictions": tuple(
                contradiction.model_copy(
                    update={
                        "first_citation": self._cited(contradiction.first_citation),
                        "second_citation": self._cited(contradiction.second_citation),
                    }
                )
                for contradiction in report.contradictions
            ),
        }
        return markdown_of(report.model_copy(update=cited))

    def _render_table(self, report: Report, table: WideTable) -> str:
        for row in table.rows:
            for cell in row.values():
                readings = [reading.citation for reading in cell.alternatives]
                for citation in (*cell.citations, *readings):
                    self._page(citation, citation.url)
        return markdown_report(
            table, remarks=table_remarks(table, out_of_budget=report.status == "budget_exhausted")
        )

    def _checked(self, claim: Claim) -> Claim:
        citations = tuple(self._cited(citation) for citation in claim.citations)
        return claim.model_copy(update={"citations": citations})

    def _cited(self, citation: Citation) -> Citation:
        page = self._page(citation, citation.url)
        if page is None:
            return citation
        return Citation.of(page.span(citation.start, citation.end), page)

    def _differs(self, what: str) -> None:
        if what not in self._done.differences:
            self._done.differences.append(what)
