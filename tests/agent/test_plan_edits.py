"""Edits of a plan: what each one changes, what is refused, and that none can break the graph."""

from __future__ import annotations

from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.plan_edits import MAX_TEXT, apply_edit
from leadline.agent.research_graph import MAX_NODES, ResearchGraph, SubAnswer
from leadline.agent.steering import (
    AddQuestion,
    AskAgain,
    DropQuestion,
    ForkQuestion,
    PlanEdit,
    RewordQuestion,
)


@pytest.fixture
def chain() -> ResearchGraph:
    """q1 ← q2 ← q3, the first two answered."""
    graph = ResearchGraph(question="When was the mayor's home town founded?")
    graph.add("Who is the mayor of Port Alder?")
    graph.add("Where was the mayor born?", ["q1"])
    graph.add("When was that town founded?", ["q2"])
    for node in graph.nodes[:2]:
        node.state, node.answer = "answered", SubAnswer()
    return graph


def states(graph: ResearchGraph) -> list[str]:
    return [node.state for node in graph.nodes]


def test_a_question_is_added_with_its_parents(chain: ResearchGraph) -> None:
    assert apply_edit(chain, AddQuestion(text="What did #q1 study?", parents=("q2",))) is None
    added = chain.nodes[-1]
    assert added.id == "q4"
    assert added.parents == ("q2", "q1")
    assert added.text == 'What did the answer to "Who is the mayor of Port Alder" study?'


def test_what_waited_for_a_dropped_question_waits_no_longer(chain: ResearchGraph) -> None:
    assert apply_edit(chain, DropQuestion(node_id="q2")) is None
    assert [node.id for node in chain.nodes] == ["q1", "q3"]
    assert chain.ready() == [chain.node("q3")]


def test_an_id_is_never_given_out_twice(chain: ResearchGraph) -> None:
    apply_edit(chain, DropQuestion(node_id="q3"))
    apply_edit(chain, AddQuestion(text="How many people live there?"))
    assert chain.nodes[-1].id == "q4"


def test_other_words_are_searched_anew_and_so_is_what_built_on_them(chain: ResearchGraph) -> None:
    searches = [node.search_id for node in chain.nodes]
    assert apply_edit(chain, RewordQuestion(node_id="q1", text="Who runs the town hall?")) is None
    assert states(chain) == ["waiting", "waiting", "waiting"]
    assert chain.node("q1").answer is None
    again = [node.search_id for node in chain.nodes]
    assert [a != b for a, b in zip(searches, again, strict=True)] == [True, True, False]


def test_asking_again_leaves_what_does_not_build_on_it(chain: ResearchGraph) -> None:
    assert apply_edit(chain, AskAgain(node_id="q2")) is None
    assert states(chain) == ["answered", "waiting", "waiting"]


def test_a_fork_stands_in_the_same_place(chain: ResearchGraph) -> None:
    fork = ForkQuestion(node_id="q2", text="In which town did the mayor grow up?")
    assert apply_edit(chain, fork) is None
    assert chain.node("q4").parents == ("q1",)
    assert chain.node("q3").parents == ("q2", "q4")
    assert chain.ready() == [chain.node("q4")]


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (AddQuestion(text="Why?", parents=("q9",)), "there is no q9"),
        (AddQuestion(text="Why did #q7 leave?"), "there is no q7"),
        (AddQuestion(text="  ?! "), "it is empty"),
        (AddQuestion(text="Who is mayor of Port Alder?"), "it repeats q1"),
        (AddQuestion(text="x" * (MAX_TEXT + 1)), "1,001 characters, 1,000 are allowed"),
        (DropQuestion(node_id="q9"), "there is no q9"),
        (RewordQuestion(node_id="q1", text="Who is the mayor of Port Alder?"), "the same"),
        (RewordQuestion(node_id="q1", text="Where was the mayor born?"), "it repeats q2"),
        (RewordQuestion(node_id="q1", text="Who founded #q3?"), "q1 cannot wait for q3"),
        (AskAgain(node_id="q3"), "q3 has no answer yet"),
        (ForkQuestion(node_id="q1", text="Who owns #q2?"), "cannot wait for q2"),
    ],
)
def test_what_is_unsound_is_refused_and_changes_nothing(
    chain: ResearchGraph, edit: PlanEdit, reason: str
) -> None:
    before = chain.model_dump()
    assert reason in (apply_edit(chain, edit) or "")
    assert chain.model_dump() == before


def test_the_only_question_cannot_be_dropped() -> None:
    graph = ResearchGraph(question="Why?")
    graph.add("Why is the sky blue?")
    assert apply_edit(graph, DropQuestion(node_id="q1")) == "it is the only question"


_ids = st.integers(0, 8).map(lambda number: f"q{number}")
_texts = st.one_of(
    st.text(max_size=30),
    st.builds(
        "{} of #q{}".format, st.sampled_from(["mayor", "height", "市长", "año"]), st.integers(0, 8)
    ),
    st.text(alphabet="abcdef ", max_size=12),
)
edits: st.SearchStrategy[PlanEdit] = st.one_of(
    st.builds(AddQuestion, text=_texts, parents=st.lists(_ids, max_size=3).map(tuple)),
    st.builds(DropQuestion, node_id=_ids),
    st.builds(RewordQuestion, node_id=_ids, text=_texts),
    st.builds(AskAgain, node_id=_ids),
    st.builds(ForkQuestion, node_id=_ids, text=_texts),
)


@given(st.lists(st.tuples(edits, st.booleans()), max_size=40))
def test_no_sequence_of_edits_makes_a_cycle_or_loses_a_node(
    steps: list[tuple[PlanEdit, bool]],
) -> None:
    graph = ResearchGraph(question="root")
    graph.add("the first question")
    given_out = {"q1"}
    for edit, work_on in steps:
        before = {node.id for node in graph.nodes}
        refused = apply_edit(graph, edit)
        after = {node.id for node in graph.nodes}
        lost = before - after
        assert lost == ({edit.node_id} if edit.action == "drop" and refused is None else set())
        assert not (after - before) & given_out
        given_out |= after
        assert 1 <= len(graph.nodes) <= MAX_NODES
        for node in graph.nodes:
            assert after.issuperset(node.parents)
        TopologicalSorter({node.id: node.parents for node in graph.nodes}).prepare()
        if work_on and (ready := graph.ready()):
            ready[0].state = "answered"
    while ready := graph.ready():
        ready[0].state = "unanswered"
    assert all(node.settled for node in graph.nodes)
