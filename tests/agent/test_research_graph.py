from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.research_graph import (
    MAX_NODES,
    Proposal,
    Refusal,
    ResearchGraph,
    SubQuestion,
    same_question,
)


def test_a_chain_becomes_ready_one_by_one() -> None:
    graph = ResearchGraph(question="When was the director of Alien born?")
    refusals = graph.add_proposals(
        [
            Proposal(question="Who directed Alien?"),
            Proposal(question="When was #1 born?", needs=[1]),
        ]
    )
    assert refusals == []
    first, second = graph.nodes
    assert second.parents == (first.id,)
    assert second.text == 'When was the answer to "Who directed Alien" born?'
    assert graph.ready() == [first]
    first.state = "unanswered"
    assert graph.ready() == [second]


def test_a_reference_in_the_text_is_an_edge_without_needs() -> None:
    graph = ResearchGraph(question="x y z")
    graph.add_proposals([Proposal(question="Who made it?"), Proposal(question="Where is #q1 now?")])
    assert graph.nodes[1].parents == ("q1",)


def test_what_is_unsound_is_refused_with_a_reason_and_the_rest_stays() -> None:
    graph = ResearchGraph(question="How do WAL and rollback journals differ in SQLite?")
    refusals = graph.add_proposals(
        [
            Proposal(question="How do the WAL and rollback journals differ in SQLite?"),
            Proposal(question="  "),
            Proposal(question="What is a rollback journal?", needs=[7]),
            Proposal(question="What is the rollback journal?"),
            Proposal(question="What is WAL mode?", needs=[4]),
        ]
    )
    assert [node.text for node in graph.nodes] == [
        "What is a rollback journal?",
        "What is WAL mode?",
    ]
    assert all(node.parents == () for node in graph.nodes)
    reasons = " / ".join(refusal.reason for refusal in refusals)
    assert "repeats the whole" in reasons
    assert "empty" in reasons
    assert "repeats q1" in reasons
    assert "[7]" in reasons


def test_the_whole_question_is_kept_when_it_is_the_only_proposal() -> None:
    graph = ResearchGraph(question="What is WAL?")
    assert graph.add_proposals([Proposal(question="What is WAL?")]) == []
    assert len(graph.nodes) == 1


def test_a_full_graph_refuses() -> None:
    graph = ResearchGraph(question="?")
    for number in range(MAX_NODES):
        assert isinstance(graph.add(f"Question about topic{number} and thing{number}"), SubQuestion)
    assert isinstance(graph.add("One more entirely new subject"), Refusal)


def test_chinese_questions_are_told_apart() -> None:
    assert not same_question("长江有多长", "黄河有多长")
    assert same_question("长江有多长？", "长江有多长")


@given(
    st.lists(
        st.builds(
            Proposal,
            question=st.text(max_size=40),
            needs=st.lists(st.integers(-3, 12), max_size=4),
        ),
        max_size=12,
    )
)
def test_any_plan_gives_an_acyclic_graph_that_can_be_worked_off(plan: list[Proposal]) -> None:
    graph = ResearchGraph(question="root question")
    graph.add_proposals(plan)
    order = {node.id: index for index, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        assert all(order[parent] < order[node.id] for parent in node.parents)
    while ready := graph.ready():
        for node in ready:
            node.state = "answered"
    assert all(node.settled for node in graph.nodes)
    assert ResearchGraph.model_validate_json(graph.model_dump_json()) == graph


def test_when_and_where_of_one_thing_are_two_questions() -> None:
    assert not same_question("When was the mayor born?", "Where was the mayor born?")
    assert same_question("Who is the mayor of Alder?", "Who was mayor of Alder?")
    assert same_question("mayor of Alder", "Who is the mayor of Alder?")
