"""A person's word to a run under way: edits, pauses, other limits."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import pytest

from leadline.agent.events import (
    Event,
    LimitsChanged,
    NodeChanged,
    PlanEdited,
    PlanUpdated,
    RunPaused,
    RunUnpaused,
)
from leadline.agent.report import Report
from leadline.agent.researcher import Researcher
from leadline.agent.run_store import RunStore
from leadline.agent.steering import (
    AddQuestion,
    AskAgain,
    Clarification,
    DropQuestion,
    RewordQuestion,
    Steering,
)
from leadline.agent.supervision import supervised
from leadline.budget import Budget, Limits
from leadline.cancellation import Cancellation
from leadline.errors import Cancelled
from leadline.runtime.engine import Engine, Generation, GenerationRequest, TextDelta
from leadline.runtime.scripted_engine import ScriptedEngine

from .conftest import ENOUGH, SUPPORTED, answer, plan, written

E = TypeVar("E")
MakeResearcher = Callable[[Engine], Researcher]
QUESTION = "Harbour opening and ferry time?"
HARBOUR, FERRY = "When was the harbour opened?", "When does the ferry leave?"


def kind_of(request: GenerationRequest) -> str:
    system = request.messages[0].content
    for words, kind in (
        ("Split", "plan"),
        ("check whether notes", "grow"),
        ("write the answer", "write"),
        ("answer a question from", "answer"),
    ):
        if words in system:
            return kind
    return "verify"


def respond(request: GenerationRequest) -> str:
    """A model that plans two questions and answers each from the best passage."""
    match kind_of(request):
        case "plan":
            return plan("comparison", HARBOUR, FERRY)
        case "grow":
            return ENOUGH
        case "write":
            notes = re.findall(r"^\[(\d+)\] (.*)", request.messages[-1].content, re.MULTILINE)
            return written(*((text, [int(number)]) for number, text in notes))
        case "answer":
            passage = request.messages[-1].content.split("[1] ")[1].split(")", 1)[1]
            return answer((passage.split("\n")[-1].strip() or passage.strip(), [1]))
    return SUPPORTED


class HeldEngine(ScriptedEngine):
    """Never answers ``question``; says by ``held`` that it was asked."""

    def __init__(self, question: str, held: asyncio.Event) -> None:
        super().__init__(respond=respond)
        self._question, self._held = question, held

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        if kind_of(request) == "answer" and self._question in request.messages[-1].content:
            self._held.set()
            await asyncio.Event().wait()
        async for item in super().stream(request, cancel=cancel):
            yield item


class Run:
    """A run in the background whose events can be waited for."""

    def __init__(self, researcher: Researcher, *, limits: Limits | None = None) -> None:
        self.steering, self.cancel = Steering(), Cancellation()
        self.events: list[Event] = []
        self._reactions: list[tuple[Callable[[Event], bool], Callable[[], object]]] = []
        self._researcher, self._limits = researcher, limits

    def when(self, matches: Callable[[Event], bool], do: Callable[[], object]) -> None:
        """Call ``do`` at the first event that ``matches``."""
        self._reactions.append((matches, do))

    async def report(self, question: str = QUESTION) -> Report:
        def see(event: Event) -> None:
            self.events.append(event)
            for reaction in [each for each in self._reactions if each[0](event)]:
                self._reactions.remove(reaction)
                reaction[1]()

        async with asyncio.timeout(20):
            return await self._researcher.run(
                question,
                steering=self.steering,
                cancel=self.cancel,
                on_event=see,
                limits=self._limits,
            )

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


def node_is(node_id: str, state: str) -> Callable[[Event], bool]:
    return lambda event: (
        isinstance(event, NodeChanged) and event.span_id == node_id and event.state == state
    )


async def test_a_question_added_meanwhile_is_researched_and_reported(
    researcher_with: MakeResearcher,
) -> None:
    run = Run(researcher_with(ScriptedEngine(respond=respond)))
    added = AddQuestion(text="Who is the mayor of Port Alder?")
    run.when(node_is("q1", "running"), lambda: run.steering.edit(added))
    report = await run.report()
    assert report.status == "complete"
    assert len(report.claims) == 3
    [edited] = run.of(PlanEdited)
    assert edited.edit == added and edited.refused == ""
    assert [node.id for node in run.of(PlanUpdated)[-1].graph.nodes] == ["q1", "q2", "q3"]


async def test_a_dropped_question_is_stopped_and_the_rest_goes_on(
    researcher_with: MakeResearcher,
) -> None:
    hold = asyncio.Event()
    run = Run(researcher_with(HeldEngine(FERRY, hold)))

    async def drop_when_held() -> None:
        await asyncio.wait_for(hold.wait(), 20)
        run.steering.edit(DropQuestion(node_id="q2"))

    async with asyncio.TaskGroup() as group:
        group.create_task(drop_when_held())
        report = await run.report()
    assert report.status == "complete"
    assert report.open_questions == ()
    assert not [event for event in run.events if node_is("q2", "answered")(event)]


async def test_other_words_cancel_the_search_under_way_and_start_another(
    researcher_with: MakeResearcher,
) -> None:
    hold = asyncio.Event()
    run = Run(researcher_with(HeldEngine(FERRY, hold)))
    reworded = RewordQuestion(node_id="q2", text="How long does the ferry take?")

    async def reword_when_held() -> None:
        await asyncio.wait_for(hold.wait(), 20)
        run.steering.edit(reworded)

    async with asyncio.TaskGroup() as group:
        group.create_task(reword_when_held())
        report = await run.report()
    assert report.status == "complete"
    running = [e for e in run.events if node_is("q2", "running")(e)]
    assert len(running) == 2
    assert len([e for e in run.events if node_is("q1", "running")(e)]) == 1


async def test_asked_again_after_the_report_was_drafted_it_is_drafted_again(
    researcher_with: MakeResearcher,
) -> None:
    def ask_again_while_writing(request: GenerationRequest) -> str:
        if kind_of(request) == "write" and not run.of(PlanEdited):
            run.steering.edit(AskAgain(node_id="q1"))
        return respond(request)

    engine = ScriptedEngine(respond=ask_again_while_writing)
    run = Run(researcher_with(engine))
    report = await run.report()
    assert report.status == "complete"
    assert [kind_of(request) for request in engine.requests].count("write") == 2
    assert len([e for e in run.events if node_is("q1", "answered")(e)]) == 2
    assert len([e for e in run.events if node_is("q2", "answered")(e)]) == 1


async def test_an_unsound_edit_is_answered_with_the_reason(
    researcher_with: MakeResearcher,
) -> None:
    run = Run(researcher_with(ScriptedEngine(respond=respond)))
    run.when(node_is("q1", "running"), lambda: run.steering.edit(AskAgain(node_id="q17")))
    report = await run.report()
    assert report.status == "complete"
    assert [event.refused for event in run.of(PlanEdited)] == ["there is no q17"]


async def test_an_edit_that_nothing_took_is_answered_in_the_end() -> None:
    steering, events = Steering(), list[Event]()
    async with supervised(Budget(), Cancellation(), steering, events.append):
        steering.edit(DropQuestion(node_id="q1"))
    [event] = events
    assert isinstance(event, PlanEdited)
    assert "no plan left" in event.refused


async def test_an_applied_edit_survives_a_stop(
    researcher_with: MakeResearcher, runs: RunStore
) -> None:
    run = Run(researcher_with(ScriptedEngine(respond=respond)))
    run.when(
        node_is("q1", "running"),
        lambda: run.steering.edit(AddQuestion(text="Who is the mayor of Port Alder?")),
    )
    run.when(lambda event: isinstance(event, PlanEdited), run.cancel.cancel)
    with pytest.raises(Cancelled):
        await run.report()
    [folder] = runs.all()
    engine = ScriptedEngine(respond=respond)
    report = await researcher_with(engine).resume(folder.path.name)
    assert report.status == "complete"
    assert "plan" not in [kind_of(request) for request in engine.requests]
    assert len(report.claims) == 3


async def test_while_paused_nothing_new_is_started_and_no_time_is_counted(
    researcher_with: MakeResearcher,
) -> None:
    run = Run(researcher_with(ScriptedEngine(respond=respond)), limits=Limits(seconds=30))
    run.when(lambda event: isinstance(event, PlanUpdated), run.steering.pause)
    begun_while_paused: list[Event] = []

    def unpause() -> None:
        begun_while_paused.extend(e for e in run.events if isinstance(e, NodeChanged))
        run.steering.unpause()

    run.when(
        lambda event: isinstance(event, RunPaused),
        lambda: asyncio.get_running_loop().call_later(0.4, unpause),
    )
    report = await run.report()
    assert begun_while_paused == []
    assert len(run.of(RunUnpaused)) == 1
    assert report.status == "complete"
    elapsed = (run.events[-1].ts - run.events[0].ts).total_seconds()
    assert report.usage.seconds < elapsed - 0.3


async def test_an_edit_is_answered_while_the_run_is_paused(
    researcher_with: MakeResearcher,
) -> None:
    run = Run(researcher_with(ScriptedEngine(respond=respond)))
    run.when(lambda event: isinstance(event, PlanUpdated), run.steering.pause)
    run.when(
        lambda event: isinstance(event, RunPaused),
        lambda: run.steering.edit(DropQuestion(node_id="q1")),
    )
    run.when(lambda event: isinstance(event, PlanEdited), run.steering.unpause)
    report = await run.report()
    kinds = [event.kind for event in run.events]
    assert kinds.index("plan.edited") < kinds.index("run.unpaused")
    assert report.status == "complete"


async def test_a_paused_run_can_be_stopped(researcher_with: MakeResearcher) -> None:
    run = Run(researcher_with(ScriptedEngine(respond=respond)))
    run.steering.pause()
    run.when(
        lambda event: isinstance(event, RunPaused),
        lambda: asyncio.get_running_loop().call_later(0.05, run.cancel.cancel),
    )
    with pytest.raises(Cancelled):
        await run.report()


async def test_other_limits_hold_from_then_on(researcher_with: MakeResearcher) -> None:
    engine = ScriptedEngine(respond=respond, gate=asyncio.Event())
    run = Run(researcher_with(engine), limits=Limits(seconds=600))
    run.when(
        lambda event: isinstance(event, RunPaused | LimitsChanged) or event.kind == "run.started",
        lambda: run.steering.set_limits(Limits(seconds=0.5)),
    )
    report = await run.report()
    assert [event.limits for event in run.of(LimitsChanged)] == [Limits(seconds=0.5)]
    assert report.status == "budget_exhausted"


async def test_more_time_is_given_before_the_first_is_up(researcher_with: MakeResearcher) -> None:
    gate = asyncio.Event()
    run = Run(researcher_with(ScriptedEngine(respond=respond, gate=gate)), limits=Limits(seconds=1))
    run.when(
        lambda event: event.kind == "run.started",
        lambda: run.steering.set_limits(Limits(seconds=60)),
    )
    run.when(
        lambda event: isinstance(event, LimitsChanged),
        lambda: asyncio.get_running_loop().call_later(1.3, gate.set),
    )
    report = await run.report()
    assert report.status == "complete"


async def test_what_is_asked_back_is_part_of_the_question(
    researcher_with: MakeResearcher, runs: RunStore
) -> None:
    draft = {"clear": False, "question": "Which harbour?", "choices": ["the old one", "the new"]}
    engine = ScriptedEngine([json.dumps(draft)], respond=respond)
    asked: list[Clarification] = []

    async def person(clarification: Clarification) -> str:
        asked.append(clarification)
        return "the old one"

    events: list[Event] = []
    report = await researcher_with(engine).run(
        "When was the harbour opened?", clarify=person, on_event=events.append
    )
    [clarification] = asked
    assert clarification.choices == ("the old one", "the new")
    kinds = [event.kind for event in events]
    assert kinds.index("clarification.asked") < kinds.index("clarification.answered")
    assert kinds.index("clarification.answered") < kinds.index("plan.updated")
    graph = next(event.graph for event in events if isinstance(event, PlanUpdated))
    assert graph.nodes[0].text == "When was the harbour opened? (the old one)"
    assert report.status == "complete"


async def test_a_follow_up_looks_at_the_pages_of_the_earlier_run(
    researcher_with: MakeResearcher, runs: RunStore
) -> None:
    researcher = researcher_with(ScriptedEngine(respond=respond))
    first = await researcher.run("When was the harbour opened?")
    events: list[Event] = []
    second = await researcher.follow_up(
        first.run_id, "How many berths has the harbour?", on_event=events.append
    )
    assert second.run_id != first.run_id
    assert runs.get(second.run_id).record.follows == first.run_id
    earlier = [
        event.found
        for event in events
        if event.kind == "search.finished" and event.source == f"run {first.run_id}"
    ]
    assert earlier and earlier[0] > 0
