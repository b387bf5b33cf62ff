"""A table as a LangGraph: plan → search → read, until rounds bring nothing new → fill.

Every step is checkpointed, so that a run which was stopped goes on where it was. Pages are read
once; rows are kept as they were found, and put together anew from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from ...errors import Cancelled
from ..events import (
    CellsFilled,
    PlanEdited,
    RowChanged,
    RowsFound,
    TablePlanned,
    UsageUpdated,
)
from ..research_graph import same_question
from ..rewriting.queries import rewritten_queries
from ..rewriting.strategy import Rewritable
from ..searching import find_pages
from ..toolbox import Toolbox
from .row_finding import TABLE_SPAN, look_up, rows_in_pages
from .schema import TableSchema, TableWishes, bare_query, named_things, plan_schema
from .wide_table import Cell, FoundRow, Key, TableBuilder

_FRUITLESS_ROUNDS = 2
_QUERY_CHARACTERS = 400


class TableState(TypedDict, total=False):
    """Plain data only: it is written to the checkpoint as it is."""

    query: str
    wishes: dict[str, Any]
    schema: dict[str, Any]
    queries: list[str]
    """To be searched next."""
    tried: list[str]
    waiting: list[str]
    """Ids of pages that were found and are not read yet."""
    seen: list[str]
    found: list[dict[str, Any]]
    """Rows as they were found, in order."""
    matched: int
    """Most wanted columns that a table had by their names."""
    rounds: int
    brought: int
    """New rows of the last round."""
    looked_up: list[list[str]]
    """Keys of the rows whose missing cells were searched for."""
    fruitless: int
    """Rounds of such searches, one after the other, that brought nothing."""
    stopped: bool
    """The budget ran out."""


Tabulation = CompiledStateGraph[TableState, Toolbox, TableState, TableState]
Step = Callable[[TableState, Toolbox], Awaitable[TableState]]


def build_tabulation(checkpointer: BaseCheckpointSaver[str] | None) -> Tabulation:
    graph = StateGraph(TableState, context_schema=Toolbox)
    for name, step in (("search", _search), ("read", _read), ("next", _next), ("fill", _fill)):
        graph.add_node(name, _until_the_deadline(step))
    graph.add_node("plan", _plan)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "search")
    graph.add_conditional_edges("search", _unless_stopped("read"), ["read", END])
    graph.add_conditional_edges("read", _unless_stopped("next"), ["next", END])
    graph.add_conditional_edges("next", _after_next, ["search", "fill", END])
    graph.add_conditional_edges("fill", _after_fill, ["fill", END])
    return graph.compile(checkpointer=checkpointer)


def table_builder(state: TableState) -> TableBuilder:
    """The rows found so far, put together."""
    builder = TableBuilder(TableSchema.model_validate(state["schema"]))
    builder.add_all(FoundRow.model_validate(row) for row in state.get("found", []))
    return builder


def _until_the_deadline(step: Step) -> Any:
    """``step`` as a node: what a budget that ran out cuts short is left as it was."""

    async def node(state: TableState, runtime: Runtime[Toolbox]) -> TableState:
        box = runtime.context
        await _unpaused(box)
        try:
            changes = await step(state, box)
        except Cancelled:
            box.cancel.check()
            return {"stopped": True}
        box.emit(UsageUpdated(usage=box.budget.usage))
        return changes

    return node


async def _unpaused(box: Toolbox) -> None:
    """Return once the run is not paused; edits are refused, since there is nothing to edit."""
    while True:
        for edit in box.steering.take_edits():
            box.emit(PlanEdited(edit=edit, refused="a table has no plan to edit"))
        await box.unpaused()
        if not box.steering.has_edits:
            return


async def _plan(state: TableState, runtime: Runtime[Toolbox]) -> TableState:
    box = runtime.context
    wishes = TableWishes.model_validate(state["wishes"])
    # Without a schema there is no table at all: the deadline does not stop this.
    schema = await plan_schema(state["query"], wishes, box.engine, cancel=box.cancel)
    box.emit(TablePlanned(table_schema=schema))
    whole = bare_query(state["query"])[:_QUERY_CHARACTERS]
    queries: list[str] = []
    for query in (schema.subject, whole, *named_things(state["query"])):
        if not any(same_question(query, other) for other in queries):
            queries.append(query)
    return {"schema": schema.model_dump(mode="json"), "queries": queries, "rounds": 0}


async def _search(state: TableState, box: Toolbox) -> TableState:
    queries = state["queries"]
    pages = await find_pages(box, TABLE_SPAN, queries, limit=box.effort.pages_per_question)
    seen = state.get("seen", [])
    fresh = [page.page_id for page in pages if page.page_id not in seen]
    return {
        "waiting": fresh,
        "seen": [*seen, *fresh],
        "tried": [*state.get("tried", []), *queries],
        "queries": [],
    }


async def _read(state: TableState, box: Toolbox) -> TableState:
    """Rows from the tables of the waiting pages; from their text where no table serves."""
    pages = [box.pages.get(page_id) for page_id in state.get("waiting", [])]
    schema = TableSchema.model_validate(state["schema"])
    read = await rows_in_pages(
        pages,
        state["query"],
        schema,
        box,
        widen=not state.get("found"),
        matched=state.get("matched", 0),
    )
    state = {**state, "schema": read.schema.model_dump(mode="json")}
    builder = table_builder(state)
    before = builder.cells_by_key()
    found = list(state.get("found", []))
    for page, rows in read.by_page:
        rows = [row for row in rows if builder.add(row)]
        found += [row.model_dump(mode="json") for row in rows]
        total = len(builder.keys)
        box.emit(
            RowsFound(
                span_id=TABLE_SPAN,
                page_id=page.page_id,
                title=page.title,
                found=len(rows),
                rows=total,
            )
        )
    _tell_rows(before, builder, box)
    return {
        "schema": state["schema"],
        "matched": read.matched,
        "found": found,
        "waiting": [],
        "rounds": state.get("rounds", 0) + 1,
        "brought": len(builder.keys) - len(before),
    }


async def _next(state: TableState, box: Toolbox) -> TableState:
    """Other queries while rounds bring rows; none once one brought nothing new, or enough ran."""
    nothing_new = bool(state.get("found")) and not state.get("brought")
    if nothing_new or state.get("rounds", 0) >= box.effort.table_rounds:
        return {"queries": []}
    schema = TableSchema.model_validate(state["schema"])
    asked = Rewritable(
        question=f"{schema.subject} ({', '.join(schema.names)})",
        today=box.today,
        tried=tuple(state.get("tried", [])),
    )
    queries = await rewritten_queries(asked, ["rewording"], box, span_id=TABLE_SPAN)
    return {"queries": [query.text for query in queries]}


async def _fill(state: TableState, box: Toolbox) -> TableState:
    """Look up the missing cells of the next few rows, a search for each row."""
    builder = table_builder(state)
    looked_up = [tuple(key) for key in state.get("looked_up", [])]
    chosen = _to_look_up(builder, looked_up, box)[: box.effort.parallel_searchers]
    before = builder.cells_by_key()
    rows = await asyncio.gather(*(look_up(builder, key, box) for key in chosen))
    found = [row for row in rows if row is not None and builder.add(row)]
    _tell_rows(before, builder, box)
    return {
        "found": [*state.get("found", []), *(row.model_dump(mode="json") for row in found)],
        "looked_up": [list(key) for key in (*looked_up, *chosen)],
        "fruitless": 0 if found else state.get("fruitless", 0) + 1,
    }


def _to_look_up(builder: TableBuilder, looked_up: Sequence[Key], box: Toolbox) -> list[Key]:
    """Rows with missing cells that were not searched for; none once enough rows were."""
    if len(looked_up) >= box.effort.filled_rows:
        return []
    done = set(looked_up)
    return [key for key in builder.incomplete_keys if key not in done]


def _tell_rows(before: Mapping[Key, tuple[Cell, ...]], builder: TableBuilder, box: Toolbox) -> None:
    """Say which rows are not as they were, and how full the table is."""
    for key, cells in builder.cells_by_key().items():
        if before.get(key) != cells:
            box.emit(RowChanged(span_id=TABLE_SPAN, key=key, cells=cells))
    table = builder.build()
    box.emit(
        CellsFilled(
            span_id=TABLE_SPAN, filled=table.filled, cells=table.cells, rows=len(table.rows)
        )
    )


def _unless_stopped(following: str) -> Callable[[TableState], str]:
    def route(state: TableState) -> str:
        return END if state.get("stopped") else following

    return route


def _after_next(state: TableState, runtime: Runtime[Toolbox]) -> str:
    if state.get("stopped"):
        return END
    if state.get("queries"):
        return "search"
    return _after_fill(state, runtime)


def _after_fill(state: TableState, runtime: Runtime[Toolbox]) -> str:
    fruitless = state.get("fruitless", 0) >= _FRUITLESS_ROUNDS
    if state.get("stopped") or fruitless or not state.get("found"):
        return END
    looked_up = [tuple(key) for key in state.get("looked_up", [])]
    left = _to_look_up(table_builder(state), looked_up, runtime.context)
    return "fill" if left else END
