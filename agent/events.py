"""What happens in a run, as one stream that the terminal, the log and replay all read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from ..budget import Limits, Usage
from ..evidence import Evidence
from .report import Claim, Contradiction, Report, Verdict
from .research_graph import NodeState, Refusal, ResearchGraph
from .steering import PlanEdit
from .tables.schema import TableSchema
from .tables.wide_table import Cell


class _Event(BaseModel):
    """Fields of every event. ``span_id`` names the piece of work: ``run`` or a node's id."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run_id: str = ""
    seq: int = -1
    """Position in the stream, from 0 without gaps; set when the event is emitted."""
    span_id: str = "run"
    ts: datetime = Field(default_factory=lambda: datetime.now(UTC))


class RunStarted(_Event):
    kind: Literal["run.started"] = "run.started"
    question: str
    model: str
    reader: str
    sources: tuple[str, ...]


class ClarificationAsked(_Event):
    kind: Literal["clarification.asked"] = "clarification.asked"
    question: str
    choices: tuple[str, ...]


class ClarificationAnswered(_Event):
    kind: Literal["clarification.answered"] = "clarification.answered"
    answer: str | None
    """None where the person left it to the run."""


class PlanUpdated(_Event):
    kind: Literal["plan.updated"] = "plan.updated"
    graph: ResearchGraph
    refusals: tuple[Refusal, ...] = ()


class PlanEdited(_Event):
    """What became of a person's edit; :class:`PlanUpdated` follows where it was taken."""

    kind: Literal["plan.edited"] = "plan.edited"
    edit: PlanEdit
    refused: str = ""
    """Why it was not taken; empty where it was."""


class RunPaused(_Event):
    kind: Literal["run.paused"] = "run.paused"


class RunUnpaused(_Event):
    kind: Literal["run.unpaused"] = "run.unpaused"


class LimitsChanged(_Event):
    kind: Literal["limits.changed"] = "limits.changed"
    limits: Limits


class NodeChanged(_Event):
    kind: Literal["node.changed"] = "node.changed"
    state: NodeState
    answer: str = ""
    error: str = ""


class SearchStarted(_Event):
    kind: Literal["search.started"] = "search.started"
    source: str
    query: str


class SearchFinished(_Event):
    kind: Literal["search.finished"] = "search.finished"
    source: str
    query: str
    found: int


class PageRecalled(_Event):
    """A page that an earlier run rested on is offered to this one, and read anew."""

    kind: Literal["page.recalled"] = "page.recalled"
    page_id: str
    url: str
    claim: str
    """What the earlier run said."""
    earlier_run: str
    found_at: datetime


class QueryRewritten(_Event):
    """A strategy wrote another query for a question."""

    kind: Literal["query.rewritten"] = "query.rewritten"
    strategy: str
    query: str
    foreign_terms: tuple[str, ...] = ()
    """Words that neither the question nor anything found has."""
    weight: float
    """What its results count beside the question's own; 0 where it is not searched for."""


class PageRead(_Event):
    kind: Literal["page.read"] = "page.read"
    page_id: str
    url: str
    title: str
    characters: int


class ReadingProgressed(_Event):
    """Said a few times a second at most while pages are read."""

    kind: Literal["reading.progressed"] = "reading.progressed"
    read_tokens: int
    total_tokens: int | None = None
    seconds: float


class ReadingFinished(_Event):
    kind: Literal["reading.finished"] = "reading.finished"
    pages: int
    read_tokens: int
    seconds: float


class EvidenceFound(_Event):
    kind: Literal["evidence.found"] = "evidence.found"
    evidence: Evidence
    title: str
    url: str


class ClaimDrafted(_Event):
    """A statement of the report as the writer puts it down, before it is checked."""

    kind: Literal["claim.drafted"] = "claim.drafted"
    claim: Claim


class ClaimVerified(_Event):
    kind: Literal["claim.verified"] = "claim.verified"
    claim: str
    verdict: Verdict
    reason: str = ""


class ContradictionFound(_Event):
    """Two sources answer one question differently."""

    kind: Literal["contradiction.found"] = "contradiction.found"
    contradiction: Contradiction


class TablePlanned(_Event):
    kind: Literal["table.planned"] = "table.planned"
    table_schema: TableSchema


class RowsFound(_Event):
    """Rows of a table that a page brought."""

    kind: Literal["rows.found"] = "rows.found"
    page_id: str
    title: str
    found: int
    """Rows on that page."""
    rows: int
    """Rows of the table by now."""


class CellsFilled(_Event):
    """How full a table is by now."""

    kind: Literal["cells.filled"] = "cells.filled"
    filled: int
    cells: int
    rows: int


class RowChanged(_Event):
    """A row of a table as it stands by now, in the order of the table's columns."""

    kind: Literal["row.changed"] = "row.changed"
    key: tuple[str, ...]
    """What tells the row apart: its key columns, normalised."""
    cells: tuple[Cell, ...]


class UsageUpdated(_Event):
    kind: Literal["usage"] = "usage"
    usage: Usage


class Warned(_Event):
    kind: Literal["warning"] = "warning"
    message: str


class RunFinished(_Event):
    kind: Literal["run.finished"] = "run.finished"
    report: Report


Event = Annotated[
    RunStarted
    | ClarificationAsked
    | ClarificationAnswered
    | PlanUpdated
    | PlanEdited
    | RunPaused
    | RunUnpaused
    | LimitsChanged
    | NodeChanged
    | SearchStarted
    | SearchFinished
    | PageRecalled
    | QueryRewritten
    | PageRead
    | ReadingProgressed
    | ReadingFinished
    | EvidenceFound
    | ClaimDrafted
    | ClaimVerified
    | ContradictionFound
    | TablePlanned
    | RowsFound
    | CellsFilled
    | RowChanged
    | UsageUpdated
    | Warned
    | RunFinished,
    Field(discriminator="kind"),
]
"""Any event of a run; ``kind`` tells which."""

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Event)


def parse_event(line: str | bytes) -> Event:
    """The event in one line of JSON; pydantic.ValidationError if it is none."""
    return _ADAPTER.validate_json(line)
