"""The latest version of a run's graph, kept at every change while a step is under way."""

from __future__ import annotations

from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph

from .events import PlanEdited, PlanUpdated
from .plan_edits import apply_edit
from .research_graph import ResearchGraph
from .toolbox import Toolbox

_KEEP = "keep"


class _Kept(TypedDict, total=False):
    graph: dict[str, Any]


class KeptPlan:
    """A run's graph under a thread of its own in the run's checkpoints.

    A step's own checkpoint is written when the step ends; what a person changes meanwhile must
    not be lost until then.
    """

    def __init__(self, checkpointer: BaseCheckpointSaver[str], run_id: str) -> None:
        graph = StateGraph(_Kept)
        graph.add_node(_KEEP, lambda state: state)
        graph.add_edge(START, _KEEP)
        graph.add_edge(_KEEP, END)
        self._checkpoints = graph.compile(checkpointer=checkpointer)
        self._config: RunnableConfig = {"configurable": {"thread_id": f"{run_id}/plan"}}

    async def latest(self, graph: ResearchGraph) -> ResearchGraph:
        """``graph``, or the version that was kept after it; nothing is running in it."""
        snapshot = await self._checkpoints.aget_state(self._config)
        if snapshot.values:
            kept = ResearchGraph.model_validate(snapshot.values["graph"])
            graph = kept if kept.revision > graph.revision else graph
        for node in graph.nodes:
            if node.state == "running":
                node.state = "waiting"
        return graph

    async def keep(self, graph: ResearchGraph) -> None:
        """Write ``graph`` down as its next revision."""
        graph.revision += 1
        values = {"graph": graph.model_dump(mode="json")}
        await self._checkpoints.aupdate_state(self._config, values, as_node=_KEEP)

    async def take_edits(self, graph: ResearchGraph, box: Toolbox) -> bool:
        """Apply the edits that wait in ``box``; whether one of them changed ``graph``.

        Every edit is answered by an event, after the change is on disk.
        """
        changed = False
        for edit in box.steering.take_edits():
            refused = apply_edit(graph, edit)
            if refused is None:
                await self.keep(graph)
            box.emit(PlanEdited(edit=edit, refused=refused or ""))
            if refused is None:
                box.emit(PlanUpdated(graph=graph))
                changed = True
        return changed
