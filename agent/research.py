"""The run as a LangGraph: clarify → plan → research → integrate → write → verify.

From every later step a plan that has open questions again, because it grew or a person edited it,
leads back to research.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from ..errors import Cancelled, OutputInvalid, PromptTooLong
from . import planner
from .clarification import ask_back
from .dispatch import dispatch
from .events import ClaimVerified, PlanUpdated, UsageUpdated, Warned
from .plan_keeping import KeptPlan
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
    meant: str
    """What the person said the question means, when asked back."""
    graph: dict[str, Any]
    growth: int
    claims: list[dict[str, Any]]
    written: int
    """The revision of the graph that the claims were written from."""
    dropped_citations: int


ResearchRun = CompiledStateGraph[RunState, Toolbox, RunState, RunState]


def build_research(checkpointer: BaseCheckpointSaver[str]) -> ResearchRun:
    """The graph of a run; searchers share its checkpointer under threads of their own."""
    steps = _Steps(checkpointer)
    graph = StateGraph(RunState, context_schema=Toolbox)
    graph.add_node("clarify", _clarify)
    graph.add_node("plan", _plan)
    graph.add_node("research", steps.research)
    graph.add_node("integrate", steps.integrate)
    graph.add_node("write", steps.write)
    graph.add_node("verify", steps.verify)
    graph.add_edge(START, "clarify")
    graph.add_edge("clarify", "plan")
    graph.add_edge("plan", "research")
    graph.add_edge("research", "integrate")
    graph.add_conditional_edges("integrate", _unless_open("write"), ["research", "write"])
    graph.add_conditional_edges("write", _unless_open("verify"), ["research", "write", "verify"])
    graph.add_conditional_edges("verify", _unless_open(END), ["research", "write", END])
    return graph.compile(checkpointer=checkpointer)


async def _clarify(state: RunState, runtime: Runtime[Toolbox]) -> RunState:
    return {"meant": await ask_back(state["question"], runtime.context)}


async def _plan(state: RunState, runtime: Runtime[Toolbox]) -> RunState:
    box, question, meant = runtime.context, state["question"], state.get("meant", "")
    await box.unpaused()
    refusals: list[Refusal] = []
    try:
        graph, refusals = await planner.plan(question, box.engine, meant=meant, cancel=box.deadline)
    except OutputInvalid as error:
        box.emit(Warned(message=f"{error}; the question is researched as a whole"))
        graph = planner.single(question, meant=meant)
    except Cancelled:
        box.cancel.check()
        graph = planner.single(question, meant=meant)
    box.emit(PlanUpdated(graph=graph, refusals=tuple(refusals)))
    return {"graph": graph.model_dump(mode="json"), "growth": 0}


class _Steps:
    """The steps in which a person may change the plan."""

    def __init__(self, checkpointer: BaseCheckpointSaver[str]) -> None:
        self._checkpointer = checkpointer
        self._searcher = build_searcher(checkpointer)

    async def research(self, state: RunState, runtime: Runtime[Toolbox]) -> RunState:
        box = runtime.context
        plan, graph = await self._current(state)

        async def search(node: SubQuestion, parents: list[SubQuestion]) -> SubAnswer:
            thread = f"{state['run_id']}/{node.search_id}"
            return await _search(self._searcher, thread, node, parents, box)

        await dispatch(graph, search, plan, box)
        box.cancel.check()
        box.emit(UsageUpdated(usage=box.budget.usage))
        return {"graph": graph.model_dump(mode="json")}

    async def integrate(self, state: RunState, runtime: Runtime[Toolbox]) -> RunState:
        """Ask whether something is still missing, where one more question could bring it."""
        box = runtime.context
        plan, graph = await self._current(state)
        await box.unpaused()
        await plan.take_edits(graph, box)
        growth = state.get("growth", 0)
        if _may_grow(graph, growth, box):
            growth += 1
            await _grow(graph, plan, box)
        return {"graph": graph.model_dump(mode="json"), "growth": growth}

    async def write(self, state: RunState, runtime: Runtime[Toolbox]) -> RunState:
        box = runtime.context
        plan, graph = await self._current(state)
        await box.unpaused()
        await plan.take_edits(graph, box)
        if _is_open(graph, box):
            return {"graph": graph.model_dump(mode="json")}
        written = graph.revision
        claims, dropped = await _claims(graph, box)
        await plan.take_edits(graph, box)
        return {
            "graph": graph.model_dump(mode="json"),
            "claims": [claim.model_dump(mode="json") for claim in claims],
            "written": written,
            "dropped_citations": dropped,
        }

    async def verify(self, state: RunState, runtime: Runtime[Toolbox]) -> RunState:
        box = runtime.context
        plan, graph = await self._current(state)
        claims = []
        for claim in map(Claim.model_validate, state["claims"]):
            await box.unpaused()
            if await plan.take_edits(graph, box):
                return {"graph": graph.model_dump(mode="json")}
            checked = await _verdict(claim, state["question"], box)
            box.emit(
                ClaimVerified(claim=checked.text, verdict=checked.verdict, reason=checked.reason)
            )
            claims.append(checked.model_dump(mode="json"))
        await plan.take_edits(graph, box)
        return {"graph": graph.model_dump(mode="json"), "claims": claims}

    async def _current(self, state: RunState) -> tuple[KeptPlan, ResearchGraph]:
        plan = KeptPlan(self._checkpointer, state["run_id"])
        return plan, await plan.latest(ResearchGraph.model_validate(state["graph"]))


def _unless_open(following: str) -> Callable[[RunState, Runtime[Toolbox]], str]:
    """To ``following``, unless the plan has open questions or was changed since it was written up."""

    def route(state: RunState, runtime: Runtime[Toolbox]) -> str:
        graph = ResearchGraph.model_validate(state["graph"])
        if _is_open(graph, runtime.context):
            return "research"
        if following != "write" and state.get("written") != graph.revision:
            return "write"
        return following

    return route


def _is_open(graph: ResearchGraph, box: Toolbox) -> bool:
    """Whether there is something to research, and time to do so."""
    return bool(graph.ready()) and not box.deadline.cancelled


async def _search(
    searcher: Searcher, thread: str, node: SubQuestion, parents: list[SubQuestion], box: Toolbox
) -> SubAnswer:
    """Run a searcher from its last checkpoint, if it has one."""
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    snapshot = await searcher.aget_state(config)
    known = [(parent.text, parent.answer.text) for parent in parents if parent.answer]
    start = SearcherState(node_id=node.id, question=node.text, known=known)
    state = snapshot.values
    if not snapshot.values or snapshot.next:
        state = await searcher.ainvoke(
            None if snapshot.values else start, config, context=box, durability="sync"
        )
    return SubAnswer.model_validate(state["answer"])


def _may_grow(graph: ResearchGraph, growth: int, box: Toolbox) -> bool:
    stopped = box.deadline.cancelled or growth >= box.effort.growth_rounds
    finished = graph.answered and not graph.ready()
    return bool(finished) and not stopped and graph.kind in ("multi-hop", "open")


async def _grow(graph: ResearchGraph, plan: KeptPlan, box: Toolbox) -> None:
    try:
        added = await planner.grow(graph, box.engine, cancel=box.deadline)
    except OutputInvalid as error:
        box.emit(Warned(message=str(error)))
        return
    except Cancelled:
        box.cancel.check()
        return
    if isinstance(added, Refusal):
        box.emit(PlanUpdated(graph=graph, refusals=(added,)))
    elif added is not None:
        await plan.keep(graph)
        box.emit(PlanUpdated(graph=graph))


async def _claims(graph: ResearchGraph, box: Toolbox) -> tuple[list[Claim], int]:
    """The report's statements, and how many references led nowhere."""
    dropped = sum(node.answer.dropped_citations for node in graph.nodes if node.answer)
    try:
        claims, lost = await write(graph, box.pages, box.engine, cancel=box.deadline)
    except (OutputInvalid, PromptTooLong) as error:
        box.emit(Warned(message=f"{error}; the sub-answers stand as they were found"))
        claims, lost = claims_as_found(graph, box.pages), 0
    except Cancelled:
        box.cancel.check()
        claims, lost = claims_as_found(graph, box.pages), 0
    return claims, dropped + lost


async def _verdict(claim: Claim, question: str, box: Toolbox) -> Claim:
    """The verified claim, or the claim as ``unchecked`` with the reason."""
    try:
        return await verify(claim, question=question, engine=box.engine, cancel=box.deadline)
    except (OutputInvalid, PromptTooLong) as error:
        return claim.model_copy(update={"reason": str(error)})
    except Cancelled:
        box.cancel.check()
        return claim.model_copy(update={"reason": "the budget ran out before it was checked"})
