from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from leadline.tui.plan_layout import plan_rows


@dataclass(frozen=True)
class Node:
    id: str
    parents: tuple[str, ...] = ()


def drawn(*nodes: Node) -> list[str]:
    return [
        f"{row.branch}{row.id}{' needs ' if row.also_needs else ''}{','.join(row.also_needs)}"
        for row in plan_rows({node.id: node for node in nodes})
    ]


def test_a_chain_is_indented_and_a_fan_is_not() -> None:
    assert drawn(Node("q1"), Node("q2"), Node("q3", ("q1",)), Node("q4", ("q1",))) == [
        "q1",
        "├─ q3",
        "└─ q4",
        "q2",
    ]


def test_a_question_with_two_parents_stands_under_the_later_one() -> None:
    assert drawn(Node("q1"), Node("q2"), Node("q3", ("q1", "q2")), Node("q4", ("q3",))) == [
        "q1",
        "q2",
        "└─ q3 needs q1",
        "   └─ q4",
    ]


@st.composite
def graphs(draw: st.DrawFn) -> list[Node]:
    count = draw(st.integers(0, 12))
    ids = [f"q{number}" for number in range(count)]
    return [
        Node(name, tuple(draw(st.lists(st.sampled_from([*ids, "gone"]), max_size=3))))
        for name in ids
    ]


@given(graphs())
def test_every_question_of_any_graph_is_drawn_once_below_its_parent(nodes: list[Node]) -> None:
    rows = plan_rows({node.id: node for node in nodes})
    assert sorted(row.id for row in rows) == sorted(node.id for node in nodes)
    above: dict[int, str] = {}
    order = [node.id for node in nodes]
    for row in rows:
        depth = len(row.trunk) // 3
        if depth:
            [node] = [node for node in nodes if node.id == row.id]
            earlier = [p for p in node.parents if p in order[: order.index(node.id)]]
            parent = above[depth - 1]
            assert parent == max(earlier, key=order.index)
            assert set(row.also_needs) == set(earlier) - {parent}
        above[depth] = row.id
