"""Plans: whatever a model proposes, a sound graph comes of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.agent import planner
from leadline.agent.research_graph import (
    MAX_NODES,
    CitedClaim,
    Refusal,
    ResearchGraph,
    SubAnswer,
    SubQuestion,
)
from leadline.agent.toolbox import Planning
from leadline.cancellation import Cancellation
from leadline.errors import OutputInvalid
from leadline.runtime.scripted_engine import ScriptedEngine

from .conftest import ENOUGH, plan

CHAIN = "In which town was the founder of the Alder Line born?"


async def planned(
    question: str, *replies: str, planning: Planning = "ahead"
) -> tuple[ResearchGraph, list[Refusal]]:
    return await planner.plan(
        question, ScriptedEngine(list(replies)), planning=planning, cancel=Cancellation()
    )


def texts(graph: ResearchGraph) -> list[str]:
    return [node.text for node in graph.nodes]


async def test_a_guessed_name_in_a_chain_becomes_a_reference() -> None:
    draft = plan("multi-hop", "Who founded the Alder Line?", "In which town was Jonas Kerr born?")
    graph, _ = await planned(CHAIN, draft)
    assert texts(graph) == [
        "Who founded the Alder Line?",
        'In which town was the answer to "Who founded the Alder Line" born?',
    ]
    assert graph.nodes[1].parents == ("q1",)


async def test_guessed_rows_are_refused() -> None:
    draft = plan(
        "comparison",
        "How many barges use the Danube?",
        "How many barges use the Rhine?",
        "How many barges use the River Volga?",
    )
    graph, refusals = await planned("Which has more barges, the Danube or the Rhine?", draft)
    assert texts(graph) == ["How many barges use the Danube?", "How many barges use the Rhine?"]
    assert "guesses" in refusals[0].reason


async def test_a_comparison_that_repeats_itself_is_made_by_its_template() -> None:
    whole = "Which is longer, the Danube or the Rhine?"
    graph, _ = await planned(whole, plan("comparison", whole, whole, "Which is the longer one?"))
    assert texts(graph) == ["How long is the Danube?", "How long is the Rhine?"]


async def test_what_builds_on_a_refused_question_is_refused_too() -> None:
    graph, refusals = await planned(CHAIN, plan("multi-hop", CHAIN, "When was #1 built?"))
    assert texts(graph) == [CHAIN]
    assert len(refusals) == 2


async def test_what_has_nothing_of_the_question_is_refused() -> None:
    draft = plan(
        "open", "What do ferries cost?", "Why do volcanoes erupt?", "Why are ferries late?"
    )
    graph, refusals = await planned("Why are ferries late, and what do they cost?", draft)
    assert len(graph.nodes) == 2
    assert [refusal.proposal for refusal in refusals] == ["Why do volcanoes erupt?"]


async def test_a_chain_that_grows_begins_with_what_waits_for_nothing() -> None:
    draft = plan(
        "multi-hop", "Who founded the Alder Line?", "In which town was #1 born?", needs={2: [1]}
    )
    graph, _ = await planned(CHAIN, draft, planning="grow")
    assert texts(graph) == ["Who founded the Alder Line?"]
    assert graph.kind == "multi-hop"


async def test_the_intent_is_held_in_the_graph() -> None:
    draft = json.loads(plan("list", CHAIN)) | {"wanted": "a town", "unwanted": "a country"}
    graph, _ = await planned(f"{CHAIN[:-1]} in 1902 and why?", json.dumps(draft))
    assert graph.intent.wanted == "a town"
    assert graph.intent.unwanted == "a country"
    assert graph.intent.time_frame == "1902"
    fact, _ = await planned("When was the harbour opened?")
    assert fact.intent.wanted == "a date"


async def test_nothing_is_searched_where_searching_cannot_help() -> None:
    graph, _ = await planned("What is 17 * 23?")
    assert graph.nodes == []
    assert "391" in graph.remark


def with_notes(kind: str = "multi-hop") -> ResearchGraph:
    graph = ResearchGraph.model_validate({"question": CHAIN, "kind": kind})
    graph.add("Who founded the Alder Line?")
    graph.nodes[0].state = "answered"
    claims = (CitedClaim(text="The Alder Line was founded by Mara Lund.", evidence=(0,)),)
    graph.nodes[0].answer = SubAnswer(claims=claims)
    return graph


async def grown(graph: ResearchGraph, *replies: str) -> SubQuestion | Refusal | None:
    return await planner.grow(graph, ScriptedEngine(list(replies)), cancel=Cancellation())


async def test_the_next_hop_is_asked_by_its_name() -> None:
    graph = with_notes()
    added = await grown(graph, '{"enough": false, "question": "Where was Mara Lund born?"}')
    assert isinstance(added, SubQuestion)
    assert added.parents == ("q1",)


async def test_a_hop_by_a_name_that_no_note_has_is_refused() -> None:
    added = await grown(
        with_notes(), '{"enough": false, "question": "In which town was Jonas Kerr born?"}'
    )
    assert isinstance(added, Refusal)
    assert "Jonas Kerr" in added.reason


async def test_enough_is_enough() -> None:
    assert await grown(with_notes(), ENOUGH) is None


def test_a_graph_whose_last_question_found_nothing_does_not_grow() -> None:
    graph = with_notes()
    assert planner.may_grow(graph)
    graph.add("Where was Mara Lund born?", ["q1"])
    assert not planner.may_grow(graph)
    graph.nodes[1].state = "unanswered"
    assert not planner.may_grow(graph)
    assert not planner.may_grow(with_notes("fact"))


_questions = st.one_of(
    st.text(max_size=40),
    st.sampled_from(
        [CHAIN, "Where was #1 born?", "#9 and #1", "谁是市长？", "Who is Jonas Kerr?", ""]
    ),
    st.integers(0, 7).map("How old is #{}?".format),
)
_plans = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(["fact", "comparison", "list", "multi-hop", "open"]),
        "sub_questions": st.lists(
            st.fixed_dictionaries(
                {"question": _questions, "needs": st.lists(st.integers(-9, 99), max_size=4)}
            ),
            max_size=5,
        ),
    }
)


@given(_plans, st.sampled_from(["ahead", "grow"]), st.text(max_size=60))
async def test_any_plan_makes_a_graph_that_can_be_worked_off(
    draft: dict[str, object], planning: Planning, rest: str
) -> None:
    graph, refusals = await planned(f"{CHAIN} and {rest}?", json.dumps(draft), planning=planning)
    assert 1 <= len(graph.nodes) <= MAX_NODES
    assert all(node.text.strip() for node in graph.nodes)
    assert all(refusal.reason for refusal in refusals)
    while ready := graph.ready():
        for node in ready:
            node.state = "unanswered"
    assert all(node.settled for node in graph.nodes)


@given(
    st.one_of(
        st.text(max_size=80),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["kind", "sub_questions", "x"]), inner, max_size=3
                )
            ),
            max_leaves=8,
        ).map(json.dumps),
    )
)
async def test_what_is_no_plan_is_an_error_that_names_the_model(reply: str) -> None:
    with pytest.raises(OutputInvalid, match="scripted"):
        await planned(CHAIN, reply, reply)


@given(st.booleans(), st.text(max_size=320))
async def test_any_growth_adds_one_question_or_says_why_not(enough: bool, question: str) -> None:
    graph = with_notes()
    reply = json.dumps({"enough": enough, "question": question})
    try:
        added = await grown(graph, reply, reply)
    except OutputInvalid:
        return
    assert len(graph.nodes) == (2 if isinstance(added, SubQuestion) else 1)
    assert not enough or added is None
