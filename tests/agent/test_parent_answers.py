"""A child's text with what its parents answered in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.parent_answers import short_answer, with_answers
from leadline.agent.research_graph import (
    CitedClaim,
    Proposal,
    ResearchGraph,
    SubAnswer,
    SubQuestion,
)


def answered(question: str, text: str, short: str = "") -> SubQuestion:
    answer = SubAnswer(claims=(CitedClaim(text=text, evidence=(0,)),), short=short)
    return SubQuestion(id="q1", text=question, state="answered", answer=answer)


def chain(child: str, answer: SubAnswer | None) -> tuple[ResearchGraph, SubQuestion]:
    graph = ResearchGraph(question="root")
    graph.add_proposals(
        [
            Proposal(question="Who is the mayor of Port Alder?"),
            Proposal(question=child, needs=[1]),
        ]
    )
    graph.nodes[0].answer = answer
    return graph, graph.nodes[1]


MAYOR = SubAnswer(claims=(CitedClaim(text="The mayor is Ines Varga.", evidence=(0,)),))


@pytest.mark.parametrize(
    ("child", "asked"),
    [
        ("Where was #1 born?", "Where was Ines Varga born?"),
        ("Where was that person born?", "Where was Ines Varga born?"),
        ("Where was she born?", "Where was Ines Varga born?"),
        ("What is their birthplace?", "What is Ines Varga's birthplace?"),
        ("Where was Ines Varga born?", "Where was Ines Varga born?"),
        ("#1 在哪里出生？", "Ines Varga 在哪里出生？"),
    ],
)
def test_a_child_asks_by_the_name_that_its_parent_answered(child: str, asked: str) -> None:
    graph, node = chain(child, MAYOR)
    assert with_answers(node, graph) == asked


@pytest.mark.parametrize("answer", [None, SubAnswer()])
def test_without_an_answer_the_text_stays(answer: SubAnswer | None) -> None:
    graph, node = chain("Where was #1 born?", answer)
    assert with_answers(node, graph) == node.text


@pytest.mark.parametrize(
    ("question", "text", "short"),
    [
        ("Where was Ines Varga born?", "Ines Varga was born in Szeged in 1971.", "Szeged"),
        ("When was Ines Varga born?", "Ines Varga was born in Szeged in 1971.", "1971"),
        (
            "Who designed the bridge?",
            "The bridge was designed by Anna de la Cruz.",
            "Anna de la Cruz",
        ),
        ("Who runs the ferry?", "It is run by the town.", ""),
    ],
)
def test_the_name_is_taken_from_the_statement(question: str, text: str, short: str) -> None:
    assert short_answer(answered(question, text)) == short


def test_a_short_answer_that_was_given_is_used() -> None:
    node = answered("Who is the mayor?", "It has been Varga since 2019.", short="Ines Varga")
    assert short_answer(node) == "Ines Varga"


@given(st.text(max_size=60), st.text(max_size=120), st.text(max_size=120))
def test_any_answer_leaves_a_question(child: str, statement: str, short: str) -> None:
    claims = (CitedClaim(text=statement, evidence=(0,)),)
    graph, *_ = chain("x", SubAnswer(claims=claims, short=short))
    added = graph.add(f"{child} of {graph.described('q1')}", ["q1"])
    if isinstance(added, SubQuestion):
        assert with_answers(added, graph).strip()
