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

from ..errors import Cancelled, LeadlineError, OutputInvalid
from . import planner
from .checkpoints import go_on_from, is_finished
from .clarification import ask_back
from .dispatch import dispatch
from .events import PlanUpdated, UsageUpdated, Warned
from .parent_answers import with_answers
from .plan_keeping import KeptPlan
from .report import Claim, Findings
from .research_graph import Refusal, ResearchGraph, SubAnswer, SubQuestion
from .same_meaning import merge_same_meaning
from .searcher import Searcher, SearcherState, build_searcher
from .toolbox import Toolbox
from .write_up import checked, conclusions, written_up


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
    findings: dict[str, Any]
    """What the report says beside its claims."""


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
        graph, refusals = await planner.plan(
            question,
            box.engine,
            meant=meant,
            planning=box.effort.planning,
            cancel=box.deadline,
        )
        if box.embedder is not None:
            refusals += await merge_same_meaning(graph, box.embedder, cancel=box.deadline)
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
            node.asked = with_answers(node, graph)
            return await _search(self._searcher, thread, node, parents, box)

        await dispatch(graph, search, plan, box)
        box.cancel.check()
        box.emit(UsageUpdated(usage=box.budget.usage))
        return {"graph": graph.model_dump(mode="json")}

    async def integrate(self, state: RunState, runtime: Runtime[Toolbox]) -> RunState:
        """Ask whether something is still missing, where one more question could bring it."""
        box = runtime.context
        plan, graph = await self._current(state)
        await plan.heed(graph, box)
        growth = state.get("growth", 0)
        out_of_rounds = box.deadline.cancelled or growth >= box.effort.growth_rounds
        if planner.may_grow(graph) and not out_of_rounds:
            growth += 1
            await _grow(graph, plan, box)
        return {"graph": graph.model_dump(mode="json"), "growth": growth}

    async def write(self, state: RunState, runtime: Runtime[Toolbox]) -> RunState:
        box = runtime.context
        plan, graph = await self._current(state)
        await plan.heed(graph, box)
        if _is_open(graph, box):
            return {"graph": graph.model_dump(mode="json")}
        revision = graph.revision
        written = await written_up(graph, box)
        await plan.take_edits(graph, box)
        return {
            "graph": graph.model_dump(mode="json"),
            "claims": [claim.model_dump(mode="json") for claim in written.claims],
            "written": revision,
            "findings": written.findings.model_dump(mode="json"),
        }

    async def verify(self, state: RunState, runtime: Runtime[Toolbox]) -> RunState:
        box = runtime.context
        plan, graph = await self._current(state)
        outcomes = []
        for claim in map(Claim.model_validate, state["claims"]):
            if await plan.heed(graph, box):
                return {"graph": graph.model_dump(mode="json")}
            outcomes.append(await checked(claim, state["question"], box))
        findings = Findings.model_validate(state["findings"])
        claims, findings = conclusions(graph, outcomes, findings, box)
        await plan.take_edits(graph, box)
        return {
            "graph": graph.model_dump(mode="json"),
            "claims": [claim.model_dump(mode="json") for claim in claims],
            "findings": findings.model_dump(mode="json"),
        }

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
    """Run a searcher from its last checkpoint, if it has one.

    Where a later round fails or time runs out in it, the answer of an earlier one stands.
    """
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    snapshot = await searcher.aget_state(config)
    known = [
        (parent.asked or parent.text, parent.answer.text) for parent in parents if parent.answer
    ]
    start = SearcherState(node_id=node.id, question=node.asked or node.text, known=known)
    state = snapshot.values
    if not is_finished(snapshot):
        try:
            state = await go_on_from(snapshot, searcher, start, config, box)
        except LeadlineError as error:
            box.cancel.check()
            state = (await searcher.aget_state(config)).values
            if not SubAnswer.model_validate(state.get("answer", {})).claims:
                raise
            if not isinstance(error, Cancelled):
                message = f"{error}; the answer of an earlier round stands"
                box.emit(Warned(span_id=node.id, message=message))
    return SubAnswer.model_validate(state["answer"])


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
