"""Errors that nobody foresaw, in a search and in a step of the run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from leadline.agent.events import Event, Warned
from leadline.agent.researcher import Researcher
from leadline.errors import RunError
from leadline.runtime.engine import Engine, GenerationRequest
from leadline.runtime.scripted_engine import ScriptedEngine

from .conftest import SUPPORTED, answer, plan, written

QUESTION = "When was the harbour of Port Alder opened?"
OPENED = answer(("The harbour was opened in 1902.", [1]))
MakeResearcher = Callable[[Engine], Researcher]


async def test_a_search_that_crashes_once_is_tried_again(researcher_with: MakeResearcher) -> None:
    engine = ScriptedEngine([ZeroDivisionError("a bug"), OPENED, SUPPORTED])
    events: list[Event] = []
    report = await researcher_with(engine).run(QUESTION, on_event=events.append)
    assert report.status == "complete"
    [warning] = [event for event in events if isinstance(event, Warned)]
    assert warning.span_id == "q1"
    assert "ZeroDivisionError: a bug" in warning.message
    assert "ZeroDivisionError" in report.markdown


async def test_a_search_that_crashes_twice_fails_alone(researcher_with: MakeResearcher) -> None:
    def reply(request: GenerationRequest) -> str:
        prompt, fields = request.messages[-1].content, str(request.json_schema)
        if "sub_questions" in fields:
            return plan("open", QUESTION, "How long does the ferry take?")
        if "'found'" in fields:
            if "ferry" in prompt.splitlines()[-1].lower():
                raise ZeroDivisionError("a bug")
            return OPENED
        if "'notes'" in fields:
            return written(("The harbour was opened in 1902.", [1]))
        return SUPPORTED

    report = await researcher_with(ScriptedEngine(respond=reply)).run(
        "When was the harbour of Port Alder opened, and how long does the ferry take?"
    )
    assert report.status == "partial"
    [problem] = report.errors
    assert (problem.where, problem.kind) == ("q2", "RunError")
    assert "a bug" in report.markdown
    assert [claim.text for claim in report.claims] == ["The harbour was opened in 1902."]


async def test_a_step_of_the_run_that_crashes_is_tried_again(
    researcher_with: MakeResearcher,
) -> None:
    engine = ScriptedEngine([OPENED, ZeroDivisionError("a bug"), SUPPORTED])
    report = await researcher_with(engine).run(QUESTION)
    assert report.status == "complete"
    assert len(engine.requests) == 3, "the answer was asked for again"


async def test_a_step_that_crashes_twice_ends_in_an_error_that_names_it(
    researcher_with: MakeResearcher,
) -> None:
    bugs = [ZeroDivisionError("a bug"), ZeroDivisionError("a bug")]
    with pytest.raises(RunError, match=r"a step of the run .*a bug.*resume"):
        await researcher_with(ScriptedEngine([OPENED, *bugs])).run(QUESTION)
