"""Whether a question is asked back: whatever the model says, the outcome is sound."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.clarification import clarification_of
from leadline.cancellation import Cancellation
from leadline.errors import OutputInvalid
from leadline.runtime.scripted_engine import ScriptedEngine

QUESTION = "How old is Georgia?"


async def clarified(*replies: str) -> tuple[str, ...] | None:
    engine = ScriptedEngine(list(replies))
    clarification = await clarification_of(QUESTION, engine, cancel=Cancellation())
    return clarification.choices if clarification else None


def draft(*choices: str, clear: bool = False) -> str:
    return json.dumps({"clear": clear, "question": "Which?", "choices": choices})


async def test_a_clear_question_is_not_asked_back() -> None:
    assert await clarified(draft("a", "b", clear=True)) is None


async def test_choices_that_repeat_each_other_or_the_question_are_dropped() -> None:
    assert await clarified(draft("The state", "the state.", "How old is Georgia", " ")) is None
    assert await clarified(draft("the state", "", "the country", "The country")) == (
        "the state",
        "the country",
    )


@given(st.one_of(st.text(max_size=60), st.lists(st.text(max_size=30), max_size=9).map(json.dumps)))
async def test_whatever_the_model_says_there_is_a_choice_or_none(reply: str) -> None:
    with pytest.raises(OutputInvalid):
        await clarified(reply, reply)


WORDS = st.characters(max_codepoint=0x2FFF, exclude_categories=["Cc", "Cs"])
"""What JSON writes in one sign each, so that no answer is cut off for its length."""


@given(st.lists(st.text(WORDS, max_size=30), max_size=4), st.text(WORDS, max_size=40))
async def test_choices_are_distinct_and_at_least_two(choices: list[str], question: str) -> None:
    answered = {"clear": False, "question": question, "choices": choices}
    reply = json.dumps(answered, ensure_ascii=False)
    got = await clarified(reply)
    assert got is None or len(got) == len({choice.casefold() for choice in got}) >= 2
