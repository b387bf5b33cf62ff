"""The run as a LangGraph: plan → research → integrate → (research again | write) → verify."""

from __future__ import annotations

from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from ..errors import Cancelled, OutputInvalid, PromptTooLong
from . import planner
from .checkpoints import is_finished
from .dispatch import dispatch
from .events import ClaimVerified, PlanUpdated, UsageUpdated, Warned
from .report import Claim
from .research_graph import Refusal, ResearchGraph, SubAnswer, SubQuestion
from .searcher import Searcher, SearcherState, build_searcher
from .toolbox import Toolbox
from .verifier import verify
from .writer import claims_as_found, write


class RunState(TypedDict, total=False):
    """Plain data only: it is written to the checkpoint as it is."""

    run_id: str
    question: str
    graph: dict[str, Any]
    growth: int
    grown: bool
    claims: list[dict[str, Any]]
    dropped_citations: int


ResearchRun = CompiledStateGraph[RunState, Toolbox, RunState, RunState]


def build_research(checkpointer: BaseCheckpointSaver[str]) -> ResearchRun:
    """The graph of a run; searchers share its checkpointer under threads of their own."""
    searcher = build_searcher(checkpointer)

    async def research(state: RunState, runtime: Runtime[Toolbox]) -> RunState:
        box = runtime.context
        graph = ResearchGraph.model_validate(state["graph"])

        async def search(node: SubQuestion, parents: list[SubQuestion]) -> SubAnswer:
            return await _search(searcher, f"{state['run_id']}/{node.id}", node, parents, box)

        await dispatch(graph, search, box)
        box.cancel.check()
        box.emit(UsageUpdated(usage=box.budget.usage))
        return {"graph": graph.model_dump(mode="json")}

    graph = StateGraph(RunState, context_schema=Toolbox)
    graph.add_node("plan", _plan)
    graph.add_node("research", research)
    graph.add_node("integrate", _integrate)
    graph.add_node("write", _write)
    graph.add_node("verify", _verify)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "research")
    graph.add_edge("research", "integrate")
    graph.add_conditional_edges("integrate", _after_integrate, ["research", "write"])
    graph.add_edge("write", "verify")
    graph.add_edge("verify", END)
    return graph.compile(checkpointer=checkpointer)


async def _plan(state: RunState, runtime: Runtime[Toolbox]) -> RunState:
    box, question = runtime.context, state["question"]
    refusals: list[Refusal] = []
    try:
        graph, refusals = await planner.plan(question, box.engine, cancel=box.deadline)
    except OutputInvalid as error:
        box.emit(Warned(message=f"{error}; the question is researched as a whole"))
        graph = planner.single(question)
    except Cancelled:
        box.cancel.check()
        graph = planner.single(question)
    box.emit(PlanUpdated(graph=graph, refusals=tuple(refusals)))
    return {"graph": graph.model_dump(mode="json"), "growth": 0}


async def _search(
    searcher: Searcher, thread: str, node: SubQuestion, parents: list[SubQuestion], box: Toolbox
) -> SubAnswer:
    """Run a searcher from its last checkpoint, if it has one."""
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    snapshot = await searcher.aget_state(config)
    known = [(parent.text, parent.answer.text) for parent in parents if parent.answer]
    start = SearcherState(node_id=node.id, question=node.text, known=known)
    state = snapshot.values
    if not is_finished(snapshot):
        state = await searcher.ainvoke(
            None if snapshot.values else start, config, context=box, durability="sync"
        )
    return SubAnswer.model_validate(state["answer"])


async def _integrate(state: RunState, runtime: Runtime[Toolbox]) -> RunState:
    """Ask whether something is still missing, where one more question could bring it."""
    box = runtime.context
    graph = ResearchGraph.model_validate(state["graph"])
    growth = state.get("growth", 0)
    stopped = box.deadline.cancelled or growth >= box.effort.growth_rounds
    if stopped or not graph.answered or graph.kind not in ("multi-hop", "open"):
        return {"grown": False}
    try:
        added = await planner.grow(graph, box.engine, cancel=box.deadline)
    except OutputInvalid as error:
        box.emit(Warned(message=str(error)))
        added = None
    except Cancelled:
        box.cancel.check()
        added = None
    grown = isinstance(added, SubQuestion)
    refusals = (added,) if isinstance(added, Refusal) else ()
    if added is not None:
        box.emit(PlanUpdated(graph=graph, refusals=refusals))
    return {"graph": graph.model_dump(mode="json"), "growth": growth + 1, "grown": grown}


def _after_integrate(state: RunState) -> str:
    return "research" if state.get("grown") else "write"


async def _write(state: RunState, runtime: Runtime[Toolbox]) -> RunState:
    box = runtime.context
    graph = ResearchGraph.model_validate(state["graph"])
    dropped = sum(node.answer.dropped_citations for node in graph.nodes if node.answer)
    try:
        claims, lost = await write(graph, box.pages, box.engine, cancel=box.deadline)
    except (OutputInvalid, PromptTooLong) as error:
        box.emit(Warned(message=f"{error}; the sub-answers stand as they were found"))
        claims, lost = claims_as_found(graph, box.pages), 0
    except Cancelled:
        box.cancel.check()
        claims, lost = claims_as_found(graph, box.pages), 0
    return {
        "claims": [claim.model_dump(mode="json") for claim in claims],
        "dropped_citations": dropped + lost,
    }


async def _verify(state: RunState, runtime: Runtime[Toolbox]) -> RunState:
    box = runtime.context
    claims = []
    for claim in map(Claim.model_validate, state["claims"]):
        checked = await _verdict(claim, state["question"], box)
        box.emit(ClaimVerified(claim=checked.text, verdict=checked.verdict, reason=checked.reason))
        claims.append(checked.model_dump(mode="json"))
    return {"claims": claims}


async def _verdict(claim: Claim, question: str, box: Toolbox) -> Claim:
    """The verified claim, or the claim as ``unchecked`` with the reason."""
    try:
        return await verify(claim, question=question, engine=box.engine, cancel=box.deadline)
    except (OutputInvalid, PromptTooLong) as error:
        return claim.model_copy(update={"reason": str(error)})
    except Cancelled:
        box.cancel.check()
        return claim.model_copy(update={"reason": "the budget ran out before it was checked"})
