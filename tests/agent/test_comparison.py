"""What the answers about two things come to."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from leadline.agent.comparison import compared
from leadline.agent.research_graph import CitedClaim, ResearchGraph, SubAnswer, SubQuestion
from leadline.agent.researcher import Researcher
from leadline.agent.toolbox import Effort
from leadline.runtime.scripted_engine import ScriptedEngine

from .conftest import answer, plan, written

BANDS = ("When were The Exies formed?", "When was Circus Diablo formed?")


def graph_of(question: str, parts: Sequence[str], shorts: Sequence[str]) -> ResearchGraph:
    graph = ResearchGraph(question=question, kind="comparison")
    for part, short in zip(parts, shorts, strict=True):
        node = graph.add(part)
        assert isinstance(node, SubQuestion)
        claim = CitedClaim(text=f"It is {short}.", evidence=())
        node.answer, node.state = SubAnswer(claims=(claim,), short=short), "answered"
    return graph


@pytest.mark.parametrize(
    ("question", "shorts", "answer"),
    [
        ("Which band was formed first The Exies or Circus Diablo ?", ("1997", "2006"), "The Exies"),
        ("Which band is younger, The Exies or Circus Diablo?", ("1997", "2006"), "Circus Diablo"),
        (
            "Which was formed earlier, Circus Diablo or The Exies?",
            ("May 4, 1997", "2 May 1997"),
            "Circus Diablo",
        ),
        ("Which was formed first, The Exies or Circus Diablo?", ("1997", "1997"), ""),
        ("Which was formed first, The Exies or Circus Diablo?", ("1997", "in London"), ""),
        ("Which is better, The Exies or Circus Diablo?", ("1997", "2006"), ""),
    ],
)
def test_dates_are_put_in_order(question: str, shorts: tuple[str, str], answer: str) -> None:
    found = compared(graph_of(question, BANDS, shorts))
    assert (found.answer if found else "") == answer
    reverse = compared(graph_of(question, BANDS[::-1], shorts[::-1]))
    assert (reverse.answer if reverse else "") == answer


@pytest.mark.parametrize(
    ("question", "shorts", "answer"),
    [
        (
            "Which is taller, the Eiffel Tower or the Shard?",
            ("330 m", "309.6 m"),
            "the Eiffel Tower",
        ),
        ("Which has fewer floors, the Eiffel Tower or the Shard?", ("3", "95"), "the Eiffel Tower"),
        (
            "Which cost more, the Eiffel Tower or the Shard?",
            ("1.5 million", "435 million"),
            "the Shard",
        ),
        ("Which is taller, the Eiffel Tower or the Shard?", ("330 m", "1016 feet"), ""),
        ("Which is taller, the Eiffel Tower or the Shard?", ("330 m", "330 m"), ""),
    ],
)
def test_numbers_in_one_unit_are_compared(
    question: str, shorts: tuple[str, str], answer: str
) -> None:
    parts = ("How tall is the Eiffel Tower?", "How tall is the Shard?")
    found = compared(graph_of(question, parts, shorts))
    assert (found.answer if found else "") == answer
    if found:
        assert all(short in found.statement for short in shorts)


@pytest.mark.parametrize(
    ("question", "shorts", "answer"),
    [
        ("Are Elm and Oak both rivers?", ("yes", "yes"), "yes"),
        ("Are Elm and Oak both rivers?", ("yes", "no"), "no"),
        ("Are Elm and Oak in the same county?", ("Alderland", "Alderland County"), "yes"),
        ("Are Elm and Oak in the same county?", ("Alderland", "Firland"), "no"),
        ("Are Elm and Oak rivers?", ("yes", "yes"), ""),
        ("Are Elm and Oak both rivers?", ("yes", ""), ""),
    ],
)
def test_what_two_things_share(question: str, shorts: tuple[str, str], answer: str) -> None:
    found = compared(graph_of(question, ("What is Elm?", "What is Oak?"), shorts))
    assert (found.answer if found else "") == answer


def test_nothing_is_compared_while_a_part_is_open_or_builds_on_another() -> None:
    question = "Which was formed first, The Exies or Circus Diablo?"
    graph = graph_of(question, BANDS, ("1997", "2006"))
    graph.nodes[1].state = "unanswered"
    assert compared(graph) is None
    chain = graph_of(question, BANDS, ("1997", "2006"))
    chain.nodes[1].parents = (chain.nodes[0].id,)
    assert compared(chain) is None


async def test_a_report_says_what_the_dates_come_to_whatever_the_model_says(
    researcher_with: Callable[..., Researcher],
) -> None:
    parts = ("When was Ines Varga born?", "When was the harbour of Port Alder opened?")
    engine = ScriptedEngine(
        [
            plan("comparison", *parts),
            answer(("Ines Varga was born in 1971.", [1]), short="1971"),
            answer(("The harbour was opened in 1902.", [1]), short="1902"),
            written(("Ines Varga is older.", [2, 3]), short="Ines Varga"),
            *["yes"] * 4,
        ]
    )
    report = await researcher_with(
        engine, effort=Effort(parallel_searchers=1, growth_rounds=0)
    ).run("Which is older, Ines Varga or the harbour of Port Alder?")
    assert report.answer == "the harbour of Port Alder"
    [writing] = [r for r in engine.requests if "numbered notes" in r.messages[0].content]
    assert "1902, against 1971 for Ines Varga" in writing.messages[-1].content
