"""The report of a run, from the last state of its graph."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

from ..errors import RunError
from ..evidence import Citation
from .report import Claim, Report, RunProblem, Status, render_markdown
from .research import RunState
from .research_graph import ResearchGraph
from .run_history import RunHistory
from .run_store import RunRecord
from .toolbox import Toolbox

_UNREAD_QUOTES = 5


def report_of(
    record: RunRecord, values: dict[str, Any], box: Toolbox, history: RunHistory
) -> Report:
    """What ``values``, the state that the run's graph ended in, come to.

    Raises:
        RunError: the graph ended before anything was written.
    """
    if "claims" not in values or "graph" not in values:
        raise RunError("the run ended before it had written anything", remedy="ask again")
    state = cast(RunState, values)
    graph = ResearchGraph.model_validate(state["graph"])
    claims = tuple(Claim.model_validate(claim) for claim in state["claims"])
    status = _status(graph, claims, out_of_budget=box.deadline.cancelled)
    open_questions = tuple(node.text for node in graph.open)
    unread = _unread(graph, history, box) if status != "complete" else []
    problems = tuple(
        RunProblem(where=node.id, kind=node.error_kind or "", message=node.error)
        for node in graph.nodes
        if node.error
    )
    return Report(
        run_id=record.run_id,
        status=status,
        question=record.question,
        markdown=render_markdown(
            claims,
            status=status,
            open_questions=open_questions,
            problems=[problem.message for problem in problems],
            unread=unread,
        ),
        claims=claims,
        open_questions=open_questions,
        unread=tuple(unread),
        usage=box.budget.usage,
        errors=problems,
        dropped_citations=state.get("dropped_citations", 0),
        model=record.model,
        reader=record.reader,
        started_at=record.started_at,
        finished_at=datetime.now(UTC),
    )


def _unread(graph: ResearchGraph, history: RunHistory, box: Toolbox) -> list[Citation]:
    """The best evidence of questions that were stopped before they had an answer."""
    waiting = {node.id for node in graph.nodes if node.state == "waiting"}
    found = [evidence for node, evidence in history.evidence if node in waiting]
    best = sorted(found, key=lambda evidence: -evidence.score)[:_UNREAD_QUOTES]
    return [Citation.of(e.span, box.pages.get(e.span.page_id)) for e in best]


def _status(graph: ResearchGraph, claims: Sequence[Claim], *, out_of_budget: bool) -> Status:
    unchecked = any(claim.verdict == "unchecked" for claim in claims)
    if out_of_budget and (graph.open or unchecked):
        return "budget_exhausted"
    if not claims:
        return "failed"
    doubtful = any(claim.verdict != "supported" for claim in claims)
    return "partial" if graph.open or doubtful else "complete"
