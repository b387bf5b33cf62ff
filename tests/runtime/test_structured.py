from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from leadline.cancellation import Cancellation
from leadline.errors import EndpointError, OutputInvalid, PromptTooLong
from leadline.runtime.engine import Generation, GenerationRequest, Message
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.runtime.structured import generate_object, parse_growing, parse_object


class Node(BaseModel):
    question: str
    parents: list[int] = Field(default_factory=list)


class Plan(BaseModel):
    nodes: list[Node] = Field(min_length=1)


GOOD = '{"nodes": [{"question": "Who wrote \\"Ulysses\\"?", "parents": []}]}'
REQUEST = GenerationRequest((Message("user", "Plan this."),), 500)


async def plan(engine: ScriptedEngine, attempts: int = 2) -> Plan:
    return await generate_object(engine, REQUEST, Plan, cancel=Cancellation(), attempts=attempts)


async def test_the_schema_is_asked_for_and_the_answer_parsed() -> None:
    engine = ScriptedEngine([GOOD])
    assert (await plan(engine)).nodes[0].question == 'Who wrote "Ulysses"?'
    (sent,) = engine.requests
    assert sent.json_schema == Plan.model_json_schema()
    assert sent.messages == REQUEST.messages


@pytest.mark.parametrize(
    "answer",
    [
        f"```json\n{GOOD}\n```",
        f"```\n{GOOD}",
        f"Here is the plan:\n{GOOD}\nI hope that it helps {{}}.",
        f"  {GOOD}  ",
    ],
)
async def test_words_and_fences_around_the_json_are_stripped(answer: str) -> None:
    engine = ScriptedEngine([answer])
    assert len((await plan(engine)).nodes) == 1
    assert len(engine.requests) == 1


async def test_an_answer_cut_off_inside_a_list_keeps_what_is_whole() -> None:
    cut = '{"nodes": [{"question": "a {brace"}, {"question": "b"}, {"question": "half of'
    generation = Generation(cut, 1, 20, "length")
    assert [node.question for node in parse_object(generation, Plan).nodes] == ["a {brace", "b"]


async def test_a_wrong_answer_is_asked_for_again_with_the_reason() -> None:
    engine = ScriptedEngine(['{"nodes": []}', GOOD])
    await plan(engine)
    *_, answer, correction = engine.requests[1].messages
    assert answer == Message("assistant", '{"nodes": []}')
    assert correction.role == "user"
    assert "nodes: List should have at least 1 item" in correction.content
    assert engine.requests[1].messages[0] == REQUEST.messages[0]


async def test_an_answer_cut_off_too_early_is_asked_for_more_briefly() -> None:
    engine = ScriptedEngine(['{"nodes": [' + '{"question": "' + "long " * 500, GOOD])
    await plan(engine)
    assert "cut off after 500 tokens. Answer again, more briefly" in (
        engine.requests[1].messages[-1].content
    )


async def test_after_the_last_attempt_the_output_is_invalid() -> None:
    engine = ScriptedEngine(["no", "no", "no", GOOD])
    with pytest.raises(OutputInvalid, match=r"scripted gave no valid Plan.*Invalid JSON"):
        await plan(engine, attempts=3)
    assert len(engine.requests) == 3


async def test_a_correction_that_does_not_fit_is_invalid_output() -> None:
    engine = ScriptedEngine(["x" * 400, GOOD], context_tokens=550)
    with pytest.raises(OutputInvalid, match="Invalid JSON"):
        await plan(engine)


async def test_other_errors_are_not_output_errors() -> None:
    with pytest.raises(EndpointError):
        await plan(ScriptedEngine([EndpointError("down")]))
    with pytest.raises(PromptTooLong):
        await plan(ScriptedEngine([GOOD], context_tokens=100))


texts = st.text(st.characters(codec="utf-8"), max_size=12)
plans = st.builds(
    Plan,
    nodes=st.lists(
        st.builds(Node, question=texts, parents=st.lists(st.integers(), max_size=3)), min_size=1
    ),
)


@given(plan=plans, data=st.data())
def test_however_an_answer_is_cut_off_only_whole_nodes_come_back(
    plan: Plan, data: st.DataObject
) -> None:
    whole = plan.model_dump_json()
    second_node = len('{"nodes":[') + len(plan.nodes[0].model_dump_json())
    cut = whole[: data.draw(st.integers(min_value=second_node, max_value=len(whole)))]
    nodes = parse_object(Generation(cut, 1, 1, "length"), Plan).nodes
    assert nodes == plan.nodes[: len(nodes)]


def test_the_parts_of_json_that_look_like_brackets_are_left_alone() -> None:
    question = 'a "quoted } ] [ {" and a backslash \\'
    text = json.dumps({"nodes": [{"question": question, "parents": [1]}]})
    found = parse_object(Generation(text + " {", 1, 1, "stop"), Plan)
    assert found.nodes[0].question == question


async def test_a_growing_answer_is_told_object_by_object() -> None:
    nodes = [{"question": f"q{n}?", "parents": [n]} for n in range(3)]
    told: list[int] = []

    def count(text: str) -> None:
        growing = parse_growing(text, Plan)
        told.append(len(growing.nodes) if growing else 0)

    engine = ScriptedEngine([json.dumps({"nodes": nodes})])
    await generate_object(engine, REQUEST, Plan, cancel=Cancellation(), on_text=count)
    assert told == sorted(told)
    assert set(told) == {0, 1, 2, 3}


@given(st.text())
def test_no_growing_text_raises(text: str) -> None:
    assert parse_growing(text, Plan) is None or "nodes" in text
