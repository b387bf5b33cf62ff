"""A run as the screens show it: the fold of its events, and of nothing else.

A saved log gives the same view as the run did while it went by. What grows with a run without end
is bounded; the log on disk keeps everything.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from ..agent import events
from ..agent.narration import line_of
from ..agent.report import Claim, Report
from ..agent.research_graph import NodeState, ResearchGraph, SubQuestion
from ..agent.tables.schema import TableSchema
from ..agent.tables.wide_table import Cell
from ..budget import Limits, Usage
from ..evidence import Citation
from .best_evidence import BestEvidence, EvidenceView

LOG_LINES = 500
SEARCHES = 100
PAGES = 500
WARNINGS = 50
ROWS = 5_000

Phase = Literal["starting", "planning", "searching", "writing", "checking", "finished"]


@dataclass(slots=True)
class SearchView:
    """A query in a source; ``found`` is None while it is under way."""

    source: str
    query: str
    found: int | None = None


@dataclass(frozen=True, slots=True)
class PageView:
    page_id: str
    title: str
    url: str
    characters: int


@dataclass(slots=True)
class ReadingView:
    """How reading goes, or went."""

    read_tokens: int = 0
    total_tokens: int | None = None
    seconds: float = 0.0
    finished: bool = False

    @property
    def speed(self) -> float | None:
        """Tokens a second."""
        return self.read_tokens / self.seconds if self.read_tokens and self.seconds else None


@dataclass(slots=True)
class WorkView:
    """What was done for one sub-question, or for the table."""

    started: datetime | None = None
    ended: datetime | None = None
    searches: deque[SearchView] = field(default_factory=lambda: deque(maxlen=SEARCHES))
    pages: dict[str, PageView] = field(default_factory=dict)
    evidence: BestEvidence = field(default_factory=BestEvidence)
    reading: ReadingView | None = None
    read_before: int = 0
    """Tokens of readings that are finished."""
    warnings: deque[str] = field(default_factory=lambda: deque(maxlen=WARNINGS))

    def seconds(self, now: datetime) -> float | None:
        """Time taken, so far or in all; None if it has not begun."""
        return ((self.ended or now) - self.started).total_seconds() if self.started else None


@dataclass(slots=True)
class NodeView:
    """A sub-question."""

    id: str
    text: str
    parents: tuple[str, ...] = ()
    state: NodeState = "waiting"
    answer: str = ""
    error: str = ""
    work: WorkView = field(default_factory=WorkView)


@dataclass(slots=True)
class TableView:
    """A table as it fills."""

    schema: TableSchema
    rows: dict[tuple[str, ...], tuple[Cell, ...]] = field(default_factory=dict)
    filled: int = 0
    cells: int = 0
    work: WorkView = field(default_factory=WorkView)


@dataclass(frozen=True, slots=True)
class LogLine:
    at: datetime
    text: str
    warning: bool = False


@dataclass(slots=True)
class RunView:
    """Everything that screens show of a run. :meth:`apply` is the only thing that changes it."""

    run_id: str = ""
    question: str = ""
    model: str = ""
    reader: str = ""
    sources: tuple[str, ...] = ()
    started: datetime | None = None
    last: datetime | None = None
    """When the last event was said."""
    phase: Phase = "starting"
    kind: str = ""
    """Which kind of question it was taken for."""
    nodes: dict[str, NodeView] = field(default_factory=dict)
    claims: dict[str, Claim] = field(default_factory=dict)
    """By their text, in the order of the report."""
    table: TableView | None = None
    usage: Usage = field(default_factory=Usage)
    limits: Limits | None = None
    """As they were changed under way; None while they are those of the start."""
    paused: bool = False
    refusals: int = 0
    """Edits of the plan that were not taken."""
    refused: str = ""
    """Why the last of them was not."""
    log: deque[LogLine] = field(default_factory=lambda: deque(maxlen=LOG_LINES))
    logged: int = 0
    """Lines of the log so far, those included that it no longer holds."""
    report: Report | None = None
    applied: int = 0
    """Events so far; another number is another picture."""

    def apply_all(self, stream: Iterable[events.Event]) -> None:
        for event in stream:
            self.apply(event)

    def apply(self, event: events.Event) -> None:
        """Take one more event of the run, in order."""
        self.applied += 1
        self.run_id = event.run_id or self.run_id
        self.last = event.ts
        if text := line_of(event):
            self._note(event.ts, text, warning=isinstance(event, events.Warned))
        match event:
            case events.RunStarted():
                self.question, self.model = event.question, event.model
                self.reader, self.sources = event.reader, event.sources
                self.started, self.phase = event.ts, "planning"
            case events.PlanUpdated(graph=graph):
                self._take_plan(graph, event.ts)
            case events.PlanEdited(refused=refused) if refused:
                self.refusals, self.refused = self.refusals + 1, refused
            case events.NodeChanged():
                self._change_node(event)
            case events.ClaimDrafted(claim=claim):
                if self.phase != "writing":
                    self.claims, self.phase = {}, "writing"
                self.claims[claim.text] = claim
                self._keep_cited(claim.citations)
            case events.ClaimVerified():
                self._verify(event)
            case events.TablePlanned(table_schema=schema):
                self.table, self.phase = TableView(schema), "searching"
                self.table.work.started = event.ts
            case events.RowChanged(key=key, cells=cells):
                if self.table and (key in self.table.rows or len(self.table.rows) < ROWS):
                    self.table.rows[key] = cells
            case events.CellsFilled(filled=filled, cells=count):
                if self.table:
                    self.table.filled, self.table.cells = filled, count
            case events.RunPaused():
                self.paused = True
            case events.RunUnpaused():
                self.paused = False
            case events.LimitsChanged(limits=limits):
                self.limits = limits
            case events.UsageUpdated(usage=usage):
                self.usage = usage
            case events.RunFinished(report=report):
                self._finish(report, event.ts)
            case events.Warned(message=message):
                self._work(event.span_id).warnings.append(message)
            case _:
                self._apply_work(self._work(event.span_id), event)

    def node(self, node_id: str) -> NodeView | None:
        return self.nodes.get(node_id)

    def works(self) -> Mapping[str, WorkView]:
        """Everything that is searched and read for, by the id of the sub-question."""
        found = {node.id: node.work for node in self.nodes.values()}
        return found if self.table is None else {"table": self.table.work, **found}

    @property
    def pages_read(self) -> int:
        return max(self.usage.pages, sum(len(work.pages) for work in self.works().values()))

    @property
    def tokens_read(self) -> int:
        read = sum(
            work.read_before + (work.reading.read_tokens if work.reading else 0)
            for work in self.works().values()
        )
        return max(self.usage.read_tokens, read)

    def _note(self, at: datetime, text: str, *, warning: bool) -> None:
        self.logged += 1
        self.log.append(LogLine(at, text, warning))

    def _work(self, span_id: str) -> WorkView:
        """The work that an event belongs to; what belongs to no question is kept nowhere."""
        if self.table is not None and span_id == "table":
            return self.table.work
        node = self.nodes.get(span_id)
        return node.work if node else WorkView()

    def _apply_work(self, work: WorkView, event: events.Event) -> None:
        match event:
            case events.SearchStarted(source=source, query=query):
                work.searches.append(SearchView(source, query))
            case events.SearchFinished(source=source, query=query, found=found):
                for search in reversed(work.searches):
                    if (search.source, search.query) == (source, query):
                        search.found = found
                        break
            case events.PageRead():
                page = PageView(event.page_id, event.title, event.url, event.characters)
                if event.page_id in work.pages or len(work.pages) < PAGES:
                    work.pages[event.page_id] = page
            case events.ReadingProgressed():
                if work.reading is None or work.reading.finished:
                    work.reading = ReadingView()
                work.reading.read_tokens = event.read_tokens
                work.reading.total_tokens = event.total_tokens
                work.reading.seconds = event.seconds
            case events.ReadingFinished(read_tokens=tokens, seconds=seconds):
                if work.reading is not None and work.reading.finished:
                    work.read_before += work.reading.read_tokens
                work.reading = ReadingView(tokens, tokens, seconds, finished=True)
            case events.EvidenceFound(evidence=evidence, title=title, url=url):
                work.evidence.add(EvidenceView(evidence, title, url))
            case _:
                pass

    def _take_plan(self, graph: ResearchGraph, at: datetime) -> None:
        self.kind = graph.kind
        if self.phase in ("starting", "planning"):
            self.phase = "searching"
        self.question = self.question or graph.question
        self.nodes = {node.id: self._node_of(node, at) for node in graph.nodes}

    def _node_of(self, node: SubQuestion, at: datetime) -> NodeView:
        known = self.nodes.get(node.id) or NodeView(node.id, node.text)
        sent_back = node.state == "waiting" and known.state not in ("waiting", "running")
        if sent_back or known.text != node.text:
            known = NodeView(node.id, node.text)
        known.parents = node.parents
        known.state, known.error = node.state, node.error or ""
        known.answer = node.answer.text if node.answer else ""
        if node.settled and known.work.started and not known.work.ended:
            known.work.ended = at
        return known

    def _change_node(self, event: events.NodeChanged) -> None:
        node = self.nodes.get(event.span_id)
        if node is None:
            return
        node.state, node.answer, node.error = event.state, event.answer, event.error
        if event.state == "running":
            node.work.started, node.work.ended = node.work.started or event.ts, None
            self.phase = "searching"
        elif event.state != "waiting":
            node.work.ended = event.ts

    def _verify(self, event: events.ClaimVerified) -> None:
        self.phase = "checking"
        claim = self.claims.get(event.claim) or Claim(text=event.claim)
        self.claims[event.claim] = claim.model_copy(
            update={"verdict": event.verdict, "reason": event.reason}
        )

    def _keep_cited(self, citations: Iterable[Citation]) -> None:
        """What a claim rests on stays in view, however much else is found."""
        works = list(self.works().values())
        for citation in citations:
            kept = [work.evidence.cite(citation) for work in works]
            read = [work for work in works if citation.page_id in work.pages]
            if not any(kept) and read:
                read[0].evidence.restore(citation, self.question)

    def _finish(self, report: Report, at: datetime) -> None:
        self.report, self.phase, self.usage = report, "finished", report.usage
        self.claims = {claim.text: claim for claim in report.claims}
        for claim in report.claims:
            self._keep_cited(claim.citations)
        for work in self.works().values():
            if work.started and not work.ended:
                work.ended = at
        if self.table and report.table:
            names = report.table.table_schema.names
            self.table.schema = report.table.table_schema
            self.table.filled, self.table.cells = report.table.filled, report.table.cells
            rows = [tuple(row[name] for name in names) for row in report.table.rows]
            keys = [names.index(key) for key in report.table.table_schema.keys]
            self.table.rows = {tuple(row[k].normalised for k in keys): row for row in rows[:ROWS]}
