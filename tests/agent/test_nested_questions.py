"""Questions that describe a thing by a clause are taken apart, innermost first."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.nested_questions import unnested
from leadline.agent.planner import plan
from leadline.cancellation import Cancellation
from leadline.runtime.scripted_engine import ScriptedEngine


def parts(question: str) -> list[str]:
    return [part.question for part in unnested(question)]


def test_a_described_thing_is_asked_for_first() -> None:
    question = "What is the population of the town where the harbour of Alder was built?"
    first, second = unnested(question)
    assert first.question == "What is the town where the harbour of Alder was built?"
    assert (second.question, second.needs) == ("What is the population of #1?", [1])


def test_the_innermost_description_comes_first() -> None:
    assert parts("Who rules the state that borders the county in which Elm Island lies?") == [
        "What is the county in which Elm Island lies?",
        "What is the state that borders #1?",
        "Who rules #2?",
    ]


def test_a_person_is_asked_for_by_who() -> None:
    assert parts("In which language did the poet who founded Alder write?") == []
    assert parts("When died the poet who founded Alder?")[0] == "Who is the poet who founded Alder?"


@pytest.mark.parametrize(
    "question",
    [
        "When was the harbour of Port Alder opened?",
        "What is the pragma that sets the busy timeout?",
        "What is the name of the function that returns the length?",
        "How does the process that writes the log decide when to start?",
        "Which file holds the settings that users change?",
        "The league includes the team that was formed in what year?",
        "In what year was the man that resigned as president born?",
        "Why is it the way that it is?",
        "",
    ],
)
def test_what_asks_for_one_thing_stays_whole(question: str) -> None:
    assert unnested(question) == []


@given(st.text(alphabet="the whowhichtat#1?, .AbX", max_size=120))
def test_needs_are_always_earlier_parts(question: str) -> None:
    for number, part in enumerate(unnested(question), start=1):
        assert all(need < number for need in part.needs)


async def test_a_plan_of_it_needs_no_model() -> None:
    question = "Who is the mayor of the town where the ferry to Elm Island starts?"
    graph, refusals = await plan(question, ScriptedEngine(), cancel=Cancellation())
    assert graph.kind == "multi-hop"
    assert [node.parents for node in graph.nodes] == [(), ("q1",)]
    assert refusals == []
