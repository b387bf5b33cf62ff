"""Runs searchers as soon as their own parents are settled; no level ever waits for another."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable

from ..errors import Cancelled, LeadlineError
from .events import NodeChanged
from .plan_keeping import KeptPlan
from .research_graph import ResearchGraph, SubAnswer, SubQuestion
from .toolbox import Toolbox

Search = Callable[[SubQuestion, list[SubQuestion]], Awaitable[SubAnswer]]


async def dispatch(graph: ResearchGraph, search: Search, plan: KeptPlan, box: Toolbox) -> None:
    """Settle every node of ``graph`` in place.

    ``search`` gets a node and its settled parents. A node whose search fails is marked so, with
    the reason, and the rest goes on. Edits of the plan are applied as they come: a search that one
    makes void is cancelled, the others are left alone. While the run is paused, and once
    ``box.deadline`` is set, nothing new is started; nodes under way at the deadline go back to
    waiting.
    """
    running: dict[asyncio.Task[SubAnswer], str] = {}
    """Searches under way, by their ids."""
    try:
        while True:
            seen = box.steering.changes
            if await plan.take_edits(graph, box):
                _cancel_void(running, graph)
            if not box.deadline.cancelled and not box.steering.paused:
                free = box.effort.parallel_searchers - len(running)
                for node in graph.ready()[: max(0, free)]:
                    running[_start(search, node, graph, box)] = node.search_id
            if running:
                await _something(running, seen, box)
            elif box.steering.paused and graph.ready() and not box.deadline.cancelled:
                await box.unpaused()
            elif not box.steering.has_edits:
                return
            for task in [task for task in running if task.done()]:
                _settle(running.pop(task), task, graph, box)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _something(running: dict[asyncio.Task[SubAnswer], str], seen: int, box: Toolbox) -> None:
    """Return once a search ends, or the person says something."""
    said = asyncio.ensure_future(box.steering.changed(seen))
    try:
        await asyncio.wait((*running, said), return_when=asyncio.FIRST_COMPLETED)
    finally:
        said.cancel()
        await asyncio.gather(said, return_exceptions=True)


def _start(
    search: Search, node: SubQuestion, graph: ResearchGraph, box: Toolbox
) -> asyncio.Task[SubAnswer]:
    node.state = "running"
    box.emit(NodeChanged(span_id=node.id, state="running"))
    asked, parents = node.model_copy(), graph.parents_of(node)

    async def run() -> SubAnswer:
        return await search(asked, parents)

    # A fresh context: inside LangGraph's own, a searcher's graph would count as a nested one.
    return asyncio.get_running_loop().create_task(run(), context=contextvars.Context())


def _cancel_void(running: dict[asyncio.Task[SubAnswer], str], graph: ResearchGraph) -> None:
    """Cancel searches for questions that were dropped or sent back."""
    wanted = {node.search_id for node in graph.nodes}
    for task, search_id in running.items():
        if search_id not in wanted:
            task.cancel()


def _settle(
    search_id: str, task: asyncio.Task[SubAnswer], graph: ResearchGraph, box: Toolbox
) -> None:
    """Put what came of a search into the graph, unless the question was dropped or sent back."""
    node = next((node for node in graph.nodes if node.search_id == search_id), None)
    if node is None:
        return
    try:
        node.answer = task.result()
    except Cancelled:
        node.state = "waiting"
        return
    except LeadlineError as error:
        node.state, node.error, node.error_kind = "failed", str(error), type(error).__name__
        box.emit(NodeChanged(span_id=node.id, state="failed", error=str(error)))
        return
    node.state = "answered" if node.answer.claims else "unanswered"
    box.emit(NodeChanged(span_id=node.id, state=node.state, answer=node.answer.text))
