"""The plan: every sub-question in its place in the graph, with how far it is."""

from __future__ import annotations

from datetime import datetime

from textual.content import Content

from ...safe_text import safe_line
from ..plan_layout import PlanRow, plan_rows
from ..run_view import NodeView, RunView, WorkView
from ..wording import STATE_SIGNS, counted, duration, speed
from .rows import Row, RowList, hanging

_QUERY_CHARACTERS = 60


class PlanTree(RowList):
    """Draws the graph; a question's id is its row's id."""

    BORDER_TITLE = "Plan"

    def update(self, view: RunView, now: datetime) -> None:
        rows = [
            Row(_content(row, view.nodes[row.id], now, self.row_width), row.id)
            for row in plan_rows(view.nodes)
        ]
        if view.table is not None:
            rows.insert(0, Row(_table_content(view, now), "table"))
        if not rows:
            said = "The plan is being made" if view.phase == "planning" else "Nothing yet"
            rows = [Row(Content.styled(said, "$text-muted"))]
        self.show(rows)


def _content(row: PlanRow, node: NodeView, now: datetime, width: int) -> Content:
    sign, colour = STATE_SIGNS[node.state]
    head = Content.assemble(
        (row.branch, "$text-muted"), (f"{sign} ", colour), (f"{node.id} ", "bold")
    )
    trunk = Content.styled(row.trunk.ljust(head.cell_length), "$text-muted")
    lines = [hanging(head, Content(safe_line(node.text)), width, trunk)]
    facts = node_facts(node, now)
    if row.also_needs:
        facts = [f"needs {', '.join(row.also_needs)}", *facts]
    if facts:
        below = Content.styled(" · ".join(facts), "$text-muted")
        lines.append(hanging(trunk, below, width))
    return Content("\n").join(lines)


def _table_content(view: RunView, now: datetime) -> Content:
    assert view.table is not None
    table = view.table
    facts = [counted(len(table.rows), "row"), f"{table.filled} of {table.cells} cells"]
    facts += work_facts(table.work, now)
    title = f"Table of {safe_line(table.schema.subject)}"
    return Content("\n").join(
        [Content.styled(title, "bold"), Content.styled("  " + " · ".join(facts), "$text-muted")]
    )


def node_facts(node: NodeView, now: datetime) -> list[str]:
    """What is going on, or what came of it."""
    if node.state == "failed":
        return [safe_line(node.error)]
    if node.state == "waiting":
        return [f"waits for {', '.join(node.parents)}"] if node.parents else ["waits"]
    doing = [activity(node.work)] if node.state == "running" else []
    return [*doing, *work_facts(node.work, now)]


def work_facts(work: WorkView, now: datetime) -> list[str]:
    facts = []
    seconds = work.seconds(now)
    if seconds is not None:
        facts.append(duration(seconds))
    if work.pages:
        facts.append(counted(len(work.pages), "page"))
    if work.evidence:
        facts.append(counted(len(work.evidence), "quote"))
    if work.warnings:
        facts.append(counted(len(work.warnings), "warning"))
    return facts


def activity(work: WorkView) -> str:
    """What a searcher does at the moment."""
    for search in work.searches:
        if search.found is None:
            return f"searching {search.source} for “{safe_line(search.query, _QUERY_CHARACTERS)}”"
    if work.reading and not work.reading.finished:
        reading = work.reading
        if reading.read_tokens and reading.total_tokens:
            of = f"{reading.read_tokens:,} of {reading.total_tokens:,} tokens"
            return ", ".join(filter(None, [f"reading {of}", speed(reading.speed)]))
        most = f" up to {reading.total_tokens:,} tokens" if reading.total_tokens else ""
        return f"reading{most}"
    return "answering" if work.evidence else "starting"
