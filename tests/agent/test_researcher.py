from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import pytest

from leadline.agent.events import (
    Event,
    EvidenceFound,
    NodeChanged,
    PlanUpdated,
    RunFinished,
    RunStarted,
    Warned,
)
from leadline.agent.report import Report
from leadline.agent.researcher import MAX_QUESTION_CHARACTERS, Researcher
from leadline.agent.run_store import RunStore
from leadline.budget import Limits
from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, EndpointError, InputError, ModelError
from leadline.runtime.engine import Engine, GenerationRequest
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tools.page_store import PageStore

from .conftest import (
    ENOUGH,
    NOT_FOUND,
    NOT_SUPPORTED,
    REWORDED,
    SUPPORTED,
    answer,
    plan,
    written,
)

MakeResearcher = Callable[[Engine], Researcher]


def prompt_of(request: GenerationRequest) -> str:
    return request.messages[-1].content


def number_of(words: str, request: GenerationRequest) -> int:
    """The number under which a prompt shows the passage with these words."""
    [number] = re.findall(rf"\[(\d+)\][^\[]*{words}", prompt_of(request))
    return int(number)


async def test_a_simple_question_ends_in_a_cited_and_checked_report(
    researcher_with: MakeResearcher, store: PageStore
) -> None:
    engine = ScriptedEngine(
        [answer(("The harbour of Port Alder was opened in 1902.", [1])), SUPPORTED]
    )
    events: list[Event] = []
    report = await researcher_with(engine).run(
        "When was the harbour of Port Alder opened?", on_event=events.append
    )
    assert report.status == "complete"
    [claim] = report.claims
    assert claim.verdict == "supported"
    [citation] = claim.citations
    assert "1902" in citation.quote
    assert store.get(citation.page_id).text[citation.start : citation.end] == citation.quote
    assert citation.url.endswith("harbour.md")
    assert report.usage.pages > 0
    assert report.usage.prompt_tokens > 0
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-2], RunFinished)
    assert [event.seq for event in events] == list(range(len(events)))
    assert Report.model_validate_json(report.model_dump_json()) == report


async def test_a_child_starts_after_its_parent_and_knows_its_answer(
    researcher_with: MakeResearcher,
) -> None:
    engine = ScriptedEngine(
        [
            plan("multi-hop", "Who is the mayor of Port Alder?", "Where was #1 born?"),
            answer(("The mayor is Ines Varga.", [1])),
            lambda request: answer(
                ("Ines Varga was born in Szeged.", [number_of("born in Szeged", request)])
            ),
            ENOUGH,
            written(("The mayor, Ines Varga, was born in Szeged.", [1, 2])),
            SUPPORTED,
        ]
    )
    events: list[Event] = []
    report = await researcher_with(engine).run(
        "Who is the mayor of Port Alder and where was that person born?", on_event=events.append
    )
    child_prompt = prompt_of(engine.requests[2])
    assert "The mayor is Ines Varga." in child_prompt
    states = [(e.span_id, e.state) for e in events if isinstance(e, NodeChanged)]
    assert states.index(("q1", "answered")) < states.index(("q2", "running"))
    assert report.status == "complete"
    assert {c.url.rsplit("/", 1)[1] for c in report.claims[0].citations} == {
        "mayor.md",
        "varga.md",
    }


async def test_the_short_answer_is_what_the_end_of_a_chain_found(
    researcher_with: MakeResearcher,
) -> None:
    engine = ScriptedEngine(
        [
            plan("multi-hop", "Who is the mayor of Port Alder?", "Where was #1 born?"),
            answer(("The mayor is Ines Varga.", [1]), short="Ines Varga"),
            lambda request: answer(
                ("Ines Varga was born in Szeged.", [number_of("born in Szeged", request)]),
                short="Szeged",
            ),
            ENOUGH,
            written(
                ("The mayor, Ines Varga, was born in Szeged.", [1, 2]),
                short="Ines Varga was born in Szeged in 1971",
            ),
            SUPPORTED,
        ]
    )
    report = await researcher_with(engine).run(
        "Who is the mayor of Port Alder and where was that person born?"
    )
    assert report.answer == "Szeged"


async def test_a_citation_that_does_not_exist_is_dropped_and_counted(
    researcher_with: MakeResearcher,
) -> None:
    engine = ScriptedEngine(
        [
            answer(("Opened in 1902.", [1, 77]), ("The moon is made of cheese.", [99])),
            SUPPORTED,
        ]
    )
    report = await researcher_with(engine).run("When was the harbour opened?")
    assert [claim.text for claim in report.claims] == ["Opened in 1902."]
    assert report.dropped_citations == 2


async def test_a_number_that_no_source_has_is_not_supported_whatever_the_model_says(
    researcher_with: MakeResearcher,
) -> None:
    wrong = "The harbour was opened in 1911."
    engine = ScriptedEngine([answer((wrong, [1])), REWORDED, answer((wrong, [1])), wrong])
    report = await researcher_with(engine).run("When was the harbour opened?")
    assert report.status == "partial"
    assert report.claims[0].verdict == "unsupported"
    assert "1911" in report.claims[0].reason
    assert "not supported by its source" in report.markdown


async def test_a_claim_that_the_model_does_not_find_in_its_source_is_marked(
    researcher_with: MakeResearcher,
) -> None:
    deep = "The harbour is deep."
    engine = ScriptedEngine([answer((deep, [1])), "yes", NOT_SUPPORTED, deep])
    report = await researcher_with(engine).run("Is the harbour deep?")
    assert report.status == "partial"
    assert report.claims[0].verdict == "unsupported"


async def test_no_answer_is_searched_again_in_other_words_and_then_said(
    researcher_with: MakeResearcher,
) -> None:
    engine = ScriptedEngine([NOT_FOUND, REWORDED, NOT_FOUND])
    report = await researcher_with(engine).run("What is the population of Port Alder?")
    assert report.status == "failed"
    assert report.claims == ()
    assert report.open_questions == ("What is the population of Port Alder?",)
    assert "No answer was found" in report.markdown


async def test_a_plan_that_cannot_be_read_costs_a_warning_only(
    researcher_with: MakeResearcher,
) -> None:
    engine = ScriptedEngine(
        ["nonsense", "more nonsense", answer(("At 07:30.", [1])), ENOUGH, SUPPORTED]
    )
    events: list[Event] = []
    report = await researcher_with(engine).run(
        "When does the ferry leave and why?", on_event=events.append
    )
    assert any(isinstance(event, Warned) for event in events)
    assert report.claims[0].text == "At 07:30."


async def test_one_failed_searcher_leaves_the_others_and_is_named(
    researcher_with: MakeResearcher,
) -> None:
    def reply(request: GenerationRequest) -> str:
        prompt = prompt_of(request)
        system = request.messages[0].content
        if system.startswith("Split"):
            return plan("comparison", "When was the harbour opened?", "When does the ferry leave?")
        if "Statement:" in prompt:
            return SUPPORTED
        if "ferry leave" in prompt:
            raise EndpointError("the endpoint fell over", remedy="start it")
        return answer(("The harbour was opened in 1902.", [1]))

    engine = ScriptedEngine([reply] * 8)
    report = await researcher_with(engine).run("Harbour opening and ferry time?")
    assert report.status == "partial"
    assert report.claims[0].text == "The harbour was opened in 1902."
    assert report.open_questions == ("When does the ferry leave?",)
    assert [problem.where for problem in report.errors] == ["q2"]
    assert report.errors[0].kind == "EndpointError"
    assert "fell over" in report.errors[0].message
    assert "the endpoint fell over: start it" in report.markdown


async def test_what_stops_the_whole_run_is_raised(researcher_with: MakeResearcher) -> None:
    engine = ScriptedEngine([ModelError("the model is gone")])
    with pytest.raises(ModelError, match="gone"):
        await researcher_with(engine).run("This and that?")


async def test_a_budget_that_runs_out_ends_in_a_labelled_report_with_what_was_found(
    researcher_with: MakeResearcher,
) -> None:
    stuck = asyncio.Event()
    engine = ScriptedEngine([answer(("never said", [1]))], gate=stuck)
    report = await researcher_with(engine).run(
        "When was the harbour opened?", limits=Limits(seconds=3)
    )
    assert report.status == "budget_exhausted"
    assert report.open_questions == ("When was the harbour opened?",)
    assert "budget ran out" in report.markdown
    assert "1902" in report.markdown
    assert report.usage.seconds < 3 + 2


async def test_a_token_budget_ends_the_run_too(researcher_with: MakeResearcher) -> None:
    engine = ScriptedEngine(
        [
            plan("comparison", "When was the harbour opened?", "When does the ferry leave?"),
            *[answer(("The harbour was opened in 1902.", [1]))] * 6,
        ]
    )
    report = await researcher_with(engine).run(
        "Harbour opening and ferry time?", limits=Limits(tokens=10)
    )
    assert report.status == "budget_exhausted"


async def test_stop_stops_and_resume_goes_on_without_asking_twice(
    researcher_with: MakeResearcher, runs: RunStore
) -> None:
    gate = asyncio.Event()
    cancel = Cancellation()
    engine = ScriptedEngine([answer(("Opened in 1902.", [1]))], gate=gate)
    researcher = researcher_with(engine)
    events: list[Event] = []

    def stop_once_evidence_is_there(event: Event) -> None:
        events.append(event)
        if isinstance(event, EvidenceFound):
            asyncio.get_running_loop().call_later(0.05, cancel.cancel)

    async with asyncio.timeout(5):
        with pytest.raises(Cancelled):
            await researcher.run(
                "When was the harbour opened?",
                cancel=cancel,
                on_event=stop_once_evidence_is_there,
            )
    [folder] = runs.all()
    assert folder.report is None

    again = ScriptedEngine([answer(("Opened in 1902.", [1])), SUPPORTED])
    more: list[Event] = []
    report = await researcher_with(again).resume(folder.path.name, on_event=more.append)
    assert report.status == "complete"
    assert not any(isinstance(event, RunStarted | PlanUpdated | EvidenceFound) for event in more)
    assert [event.seq for event in folder.events()] == list(range(len(list(folder.events()))))
    assert report.usage.seconds > 0
    assert (await researcher_with(again).resume("last")) == report


@pytest.mark.parametrize("question", ["", "   \n", "?!", "…"])
async def test_an_empty_question_is_refused(researcher_with: MakeResearcher, question: str) -> None:
    with pytest.raises(InputError, match="empty"):
        await researcher_with(ScriptedEngine([])).run(question)


async def test_a_question_of_50000_characters_is_refused(researcher_with: MakeResearcher) -> None:
    with pytest.raises(InputError, match=rf"49,999 characters, {MAX_QUESTION_CHARACTERS:,}"):
        await researcher_with(ScriptedEngine([])).run("why? " * 10_000)


async def test_a_question_in_chinese_goes_all_the_way(researcher_with: MakeResearcher) -> None:
    engine = ScriptedEngine([answer(("港口于1902年启用。", [1])), SUPPORTED])
    report = await researcher_with(engine).run("Port Alder harbour 是哪一年启用的？")
    assert report.status == "complete"
    assert "港口于1902年启用。 [1]" in report.markdown
