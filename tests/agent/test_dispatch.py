"""Searches under arbitrary edits at arbitrary moments: everything settles, nothing is lost."""

from __future__ import annotations

import asyncio
from graphlib import TopologicalSorter
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.checkpoint.memory import InMemorySaver

from leadline.agent.dispatch import dispatch
from leadline.agent.events import Event, PlanEdited
from leadline.agent.plan_keeping import KeptPlan
from leadline.agent.research_graph import CitedClaim, ResearchGraph, SubAnswer, SubQuestion
from leadline.agent.steering import PlanEdit
from leadline.agent.toolbox import Effort, PageLookup, Toolbox
from leadline.budget import Budget
from leadline.cancellation import Cancellation
from leadline.errors import SearchError
from leadline.runtime.reader import FirstStageReader
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tools.passage_ranker import HybridRanker

from .test_plan_edits import edits

Moment = tuple[int, PlanEdit | bool]
"""After so many turns of the event loop: an edit, or whether the run is paused."""


def toolbox(events: list[Event]) -> Toolbox:
    return Toolbox(
        engine=ScriptedEngine(),
        reader=FirstStageReader(HybridRanker(None)),
        sources=(),
        pages=cast(PageLookup, {}),
        budget=Budget(),
        cancel=Cancellation(),
        emit=events.append,
        effort=Effort(parallel_searchers=2),
    )


def started_graph() -> ResearchGraph:
    graph = ResearchGraph(question="root")
    graph.add("first thing")
    graph.add("second matter", ["q1"])
    graph.add("third affair", ["q1"])
    return graph


async def answer_after(turns: int, node: SubQuestion) -> SubAnswer:
    for _ in range(turns):
        await asyncio.sleep(0)
    if turns % 5 == 4:
        raise SearchError("nothing could be searched")
    claims = (CitedClaim(text=f"about {node.text}", evidence=()),) if turns % 2 else ()
    return SubAnswer(claims=claims)


@settings(max_examples=60, deadline=None)
@given(
    moments=st.lists(st.tuples(st.integers(0, 12), st.one_of(edits, st.booleans())), max_size=12),
    turns=st.lists(st.integers(0, 9), min_size=1, max_size=9),
)
async def test_any_edits_at_any_moments(moments: list[Moment], turns: list[int]) -> None:
    events: list[Event] = []
    box, graph = toolbox(events), started_graph()
    plan = KeptPlan(InMemorySaver(), "run")
    pace = iter(turns * 200)

    async def search(node: SubQuestion, parents: list[SubQuestion]) -> SubAnswer:
        assert all(parent.settled for parent in parents)
        return await answer_after(next(pace), node)

    async def person() -> None:
        for wait, word in moments:
            for _ in range(wait):
                await asyncio.sleep(0)
            if not isinstance(word, bool):
                box.steering.edit(word)
            elif word:
                box.steering.pause()
            else:
                box.steering.unpause()
        box.steering.unpause()

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        group.create_task(person())
        group.create_task(dispatch(graph, search, plan, box))
    await dispatch(graph, search, plan, box)

    assert all(node.settled for node in graph.nodes)
    TopologicalSorter({node.id: node.parents for node in graph.nodes}).prepare()
    asked = [word for _, word in moments if not isinstance(word, bool)]
    answered = [event for event in events if isinstance(event, PlanEdited)]
    assert [event.edit for event in answered] == asked
    kept = await plan.latest(ResearchGraph(question="root"))
    if graph.revision:
        assert [node.id for node in kept.nodes] == [node.id for node in graph.nodes]
