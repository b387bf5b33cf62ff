"""Sub-questions that ask the same in other words become one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from leadline.agent.research_graph import ResearchGraph
from leadline.agent.same_meaning import merge_same_meaning
from leadline.cancellation import Cancellation
from leadline.progress import Progress


class AllAlike:
    """Takes every two texts for the same, so that only the guards hold them apart."""

    model_id = "all-alike"
    dimensions = 2

    def embed(
        self, texts: Sequence[str], *, cancel: Cancellation, progress: Progress
    ) -> NDArray[np.float32]:
        return np.tile(np.array([1, 0], dtype=np.float32), (len(texts), 1))


async def merged(*questions: str, waits: dict[str, list[str]] | None = None) -> ResearchGraph:
    graph = ResearchGraph(question="root")
    for number, question in enumerate(questions, start=1):
        graph.add(question, (waits or {}).get(f"q{number}", []))
    await merge_same_meaning(graph, AllAlike(), cancel=Cancellation())
    return graph


async def test_what_waited_for_the_second_wording_waits_for_the_first() -> None:
    graph = await merged(
        "Who founded the Alder Line?",
        "Who was it that set up the Alder Line?",
        "What else did the founder build?",
        waits={"q3": ["q2"]},
    )
    assert [node.id for node in graph.nodes] == ["q1", "q3"]
    assert graph.node("q3").parents == ("q1",)


async def test_another_sort_another_name_or_another_place_is_another_question() -> None:
    for questions in (
        ("When was the mayor born?", "Where was the mayor born?"),
        ("How tall is the Eiffel Tower?", "How high is the Shard?"),
        ("What happened in 1902?", "What took place in 1903?"),
    ):
        assert len((await merged(*questions)).nodes) == 2
    chained = await merged("Who is in charge?", "Who leads it then?", waits={"q2": ["q1"]})
    assert len(chained.nodes) == 2


@given(
    st.lists(st.tuples(st.text(max_size=12), st.lists(st.integers(1, 9), max_size=3)), max_size=10)
)
async def test_any_plan_stays_a_graph_that_can_be_worked_off(
    plan: list[tuple[str, list[int]]],
) -> None:
    graph = ResearchGraph(question="root")
    for text, parents in plan:
        graph.add(text, [f"q{number}" for number in parents])
    await merge_same_meaning(graph, AllAlike(), cancel=Cancellation())
    known = {node.id for node in graph.nodes}
    assert all(known.issuperset(node.parents) for node in graph.nodes)
    while ready := graph.ready():
        ready[0].state = "answered"
    assert all(node.settled for node in graph.nodes)
