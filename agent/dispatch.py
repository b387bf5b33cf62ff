"""Runs searchers as soon as their own parents are settled; no level ever waits for another."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable

from ..errors import Cancelled, LeadlineError
from .crashes import tried_twice
from .events import NodeChanged
from .research_graph import ResearchGraph, SubAnswer, SubQuestion
from .toolbox import Toolbox

Search = Callable[[SubQuestion, list[SubQuestion]], Awaitable[SubAnswer]]


async def dispatch(graph: ResearchGraph, search: Search, box: Toolbox) -> None:
    """Settle every node of ``graph`` in place.

    ``search`` gets a node and its settled parents. A node whose search fails is marked so, with
    the reason, and the rest goes on. Once ``box.deadline`` is set nothing new is started, and
    nodes under way go back to waiting.
    """
    running: dict[asyncio.Task[SubAnswer], SubQuestion] = {}
    try:
        while True:
            free = box.effort.parallel_searchers - len(running)
            if not box.deadline.cancelled:
                for node in graph.ready()[:free]:
                    running[_start(search, node, graph, box)] = node
            if not running:
                return
            done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                _settle(running.pop(task), task, box)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def _start(
    search: Search, node: SubQuestion, graph: ResearchGraph, box: Toolbox
) -> asyncio.Task[SubAnswer]:
    node.state = "running"
    box.emit(NodeChanged(span_id=node.id, state="running"))

    async def run() -> SubAnswer:
        parents = graph.parents_of(node)
        return await tried_twice(lambda: search(node, parents), "the search", node.id, box)

    # A fresh context: inside LangGraph's own, a searcher's graph would count as a nested one.
    return asyncio.get_running_loop().create_task(run(), context=contextvars.Context())


def _settle(node: SubQuestion, task: asyncio.Task[SubAnswer], box: Toolbox) -> None:
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
