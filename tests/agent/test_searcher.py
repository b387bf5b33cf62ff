"""Rounds of one sub-question, and what a run concludes, under a scripted model."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadline.agent.corpus_source import CorpusSource
from leadline.agent.events import (
    ClaimDrafted,
    ContradictionFound,
    Event,
    QueryRewritten,
    SearchStarted,
    Warned,
)
from leadline.agent.learnt import LearntChoices
from leadline.agent.report import Report
from leadline.agent.researcher import Researcher
from leadline.agent.run_store import RunStore
from leadline.agent.toolbox import Effort
from leadline.cancellation import Cancellation
from leadline.errors import EndpointError
from leadline.runtime.engine import GenerationRequest
from leadline.runtime.reader import FirstStageReader
from leadline.runtime.scripted_engine import Reply, ScriptedEngine
from leadline.tools.corpus import Corpus
from leadline.tools.page_store import PageStore
from leadline.tools.passage_ranker import HybridRanker

from .conftest import ENOUGH, NOT_FOUND, NOT_SUPPORTED, SUPPORTED, answer, plan, written

Run = Callable[..., Awaitable[tuple[Report, list[Event], ScriptedEngine]]]
BORN = "Where was the mayor of Port Alder born?"


@pytest.fixture
def ask(researcher_with: Callable[..., Researcher]) -> Run:
    async def run(
        question: str, *replies: Reply, **effort: bool | int | str
    ) -> tuple[Report, list[Event], ScriptedEngine]:
        engine, events = ScriptedEngine(replies), list[Event]()
        tried = replace(Effort(growth_rounds=0, bare_answer=False), **effort)  # type: ignore[arg-type]
        researcher = researcher_with(engine, effort=tried)
        report = await researcher.run(question, on_event=events.append)
        return report, events, engine

    return run


def queries(events: list[Event]) -> list[str]:
    return [event.query for event in events if isinstance(event, SearchStarted)]


async def test_an_answer_that_lacks_what_was_asked_for_is_searched_again(ask: Run) -> None:
    vague = answer(("The mayor has a place of birth.", [1]))
    report, events, _ = await ask(
        BORN,
        plan("fact", BORN),
        vague,
        '{"queries": ["Ines Varga"]}',
        answer(("Ines Varga was born in Szeged.", [1])),
        SUPPORTED,
    )
    assert queries(events) == [BORN, "Ines Varga"]
    [rewritten] = [event for event in events if isinstance(event, QueryRewritten)]
    assert (rewritten.strategy, rewritten.query) == ("rewording", "Ines Varga")
    assert "Szeged" in report.claims[0].text


async def test_thin_evidence_can_be_let_pass(ask: Run) -> None:
    vague = answer(("The mayor has a place of birth.", [1]))
    _, events, _ = await ask(
        BORN, plan("fact", BORN), vague, SUPPORTED, feedback_on_thin_evidence=False
    )
    assert queries(events) == [BORN]


async def test_a_second_round_that_finds_nothing_leaves_the_first_answer(ask: Run) -> None:
    vague = answer(("The mayor has a place of birth.", [1]))
    report, _, _ = await ask(
        BORN, plan("fact", BORN), vague, '{"queries": ["Varga birth"]}', NOT_FOUND, SUPPORTED
    )
    assert [claim.text for claim in report.claims] == ["The mayor has a place of birth."]


async def test_an_answer_stands_when_a_later_round_fails(ask: Run) -> None:
    vague = answer(("The mayor has a place of birth.", [1]))
    report, events, _ = await ask(
        BORN,
        plan("fact", BORN),
        vague,
        EndpointError("the endpoint fell over", remedy="start it"),
        SUPPORTED,
    )
    assert [claim.text for claim in report.claims] == ["The mayor has a place of birth."]
    assert any(isinstance(e, Warned) and "earlier round stands" in e.message for e in events)


async def test_a_bare_answer_is_stated_in_the_words_of_its_source(ask: Run) -> None:
    bare = json.dumps({"found": True, "statements": [], "short": "1902"})
    report, _, _ = await ask("When was the harbour of Port Alder opened?", bare)
    [claim] = report.claims
    assert claim.text == "The harbour of Port Alder was opened in 1902."
    assert claim.verdict == "supported"
    assert report.answer == "1902"


async def test_an_answer_that_the_model_gives_and_denies_is_stated_if_its_source_answers(
    ask: Run,
) -> None:
    denied = json.dumps({"found": False, "statements": [], "short": "1902"})
    report, _, _ = await ask("When was the harbour of Port Alder opened?", denied)
    assert [claim.text for claim in report.claims] == [
        "The harbour of Port Alder was opened in 1902."
    ]
    report, _, _ = await ask("When did the great fire destroy the old lighthouse?", denied, denied)
    assert not report.claims


async def test_a_rewrite_with_an_invented_year_is_said_and_not_searched(ask: Run) -> None:
    report, events, _ = await ask(
        "When was the harbour opened?", NOT_FOUND, '{"queries": ["harbour opened 1911"]}'
    )
    [rewritten] = [event for event in events if isinstance(event, QueryRewritten)]
    assert rewritten.weight == 0.0
    assert rewritten.foreign_terms == ("1911",)
    assert queries(events) == ["When was the harbour opened?"]
    assert report.status == "failed"


async def test_each_strategy_can_be_switched_on(ask: Run) -> None:
    _, events, _ = await ask(
        "When was the harbour opened?",
        NOT_FOUND,
        '{"queries": ["port opening"]}',
        "The page tells the history of the harbour.",
        NOT_FOUND,
        reasoning_expansion=True,
    )
    strategies = [e.strategy for e in events if isinstance(e, QueryRewritten)]
    assert strategies == ["rewording", "reasoning"]


async def test_rewriting_can_come_first(ask: Run) -> None:
    _, events, _ = await ask(
        "When was the harbour opened?",
        '{"queries": ["port opening"]}',
        answer(("The harbour was opened in 1902.", [1])),
        SUPPORTED,
        rewrite_first=True,
    )
    assert queries(events) == ["When was the harbour opened?", "port opening"]


async def test_what_paid_is_learnt_and_what_did_not(ask: Run) -> None:
    await ask(
        "When was the harbour opened?",
        NOT_FOUND,
        '{"queries": ["harbour berths"]}',
        NOT_FOUND,
        rewrite_bandit=True,
    )
    learnt = await LearntChoices("rewriting").load()
    assert learnt.of("date", "rewording").failures == 1
    assert learnt.of("date", "rewording").successes == 0


async def test_votes_decide_the_short_answer_and_tell_the_agreement(ask: Run) -> None:
    report, _, engine = await ask(
        "When was the harbour opened?",
        answer(("The harbour was opened in 1902.", [1])),
        "1902",
        "in 1902",
        "14",
        SUPPORTED,
        votes=3,
    )
    assert report.answer == "1902"
    assert report.agreement == pytest.approx(2 / 3)
    assert report.markdown.startswith("**1902** *(67% of the samples say so)*\n")
    assert {request.seed for request in engine.requests[1:4]} == {1, 2, 3}
    assert all(request.temperature > 0 for request in engine.requests[1:4])


async def test_the_model_can_be_asked_whether_the_passages_suffice(ask: Run) -> None:
    _, events, _ = await ask(
        "When was the harbour opened?",
        answer(("The harbour was opened in 1902.", [1])),
        "no",
        '{"queries": ["port opening"]}',
        answer(("The harbour was opened in 1902.", [1])),
        "yes",
        SUPPORTED,
        sufficiency=True,
    )
    assert queries(events) == ["When was the harbour opened?", "port opening"]


async def test_yes_or_no_is_told_by_what_the_statements_cite(ask: Run) -> None:
    statement = "The harbour of Port Alder was opened in 1902."
    report, _, engine = await ask(
        "Was the harbour opened before 1900?",
        answer((statement, [1]), short="yes"),
        "no",
        SUPPORTED,
    )
    assert report.answer == "no"
    asked = engine.requests[1].messages[-1].content
    assert "opened in 1902" in asked
    assert "Ines Varga" not in asked


async def test_an_unsupported_claim_is_repaired_and_counted(ask: Run) -> None:
    report, _, _ = await ask(
        "Is the harbour deep?",
        answer(("The harbour is deep.", [1])),
        "yes",
        NOT_SUPPORTED,
        "The harbour has 14 berths and was opened in 1902.",
        SUPPORTED,
    )
    [claim] = report.claims
    assert claim.text == "The harbour has 14 berths and was opened in 1902."
    assert report.repaired_claims == 1
    assert report.status == "complete"
    assert "1 statement written anew" in report.markdown


@pytest.mark.parametrize(("unsupported", "shown"), [("remove", 1), ("mark", 2)])
async def test_what_stays_unsupported_is_removed_or_marked(
    ask: Run, unsupported: str, shown: int
) -> None:
    report, _, _ = await ask(
        "When was the harbour opened?",
        answer(("The harbour is deep.", [1]), ("The harbour was opened in 1902.", [1])),
        NOT_SUPPORTED,
        SUPPORTED,
        unsupported=unsupported,
        repair=False,
    )
    assert len(report.claims) == shown
    assert report.removed_claims == 2 - shown
    assert ("not supported by its source" in report.markdown) == (unsupported == "mark")


async def test_claims_are_told_as_the_writer_puts_them_down(ask: Run) -> None:
    report, events, _ = await ask(
        "Who is the mayor of Port Alder and where was that person born?",
        plan("multi-hop", "Who is the mayor of Port Alder?", "Where was #1 born?"),
        answer(("The mayor is Ines Varga.", [1])),
        lambda request: answer(
            (
                "Ines Varga was born in Szeged.",
                [
                    int(
                        re.findall(r"\[(\d+)\][^\[]*born in Szeged", request.messages[-1].content)[
                            0
                        ]
                    )
                ],
            )
        ),
        written(("The mayor is Ines Varga.", [1]), ("She was born in Szeged.", [2])),
        SUPPORTED,
        SUPPORTED,
    )
    drafted = [event.claim.text for event in events if isinstance(event, ClaimDrafted)]
    assert drafted == ["The mayor is Ines Varga.", "She was born in Szeged."]
    assert report.answer == "Szeged"


async def test_sources_that_disagree_are_shown_with_both_spans(
    ask: Run, corpus: Corpus, store: PageStore
) -> None:
    folder = corpus.manifest.origin
    await asyncio.to_thread(_add, folder)
    await corpus.update(cancel=Cancellation())
    report, events, _ = await ask(
        "When was the harbour of Port Alder opened?",
        lambda request: answer(
            (
                "The harbour of Port Alder was opened in 1902.",
                [int(re.findall(r"\[(\d+)\][^\[]*in 1902", request.messages[-1].content)[0])],
            )
        ),
        "yes",
        SUPPORTED,
    )
    [contradiction] = report.contradictions
    assert (contradiction.first, contradiction.second) == ("1902", "1904")
    for citation in (contradiction.first_citation, contradiction.second_citation):
        page = store.get(citation.page_id)
        assert page.text[citation.start : citation.end] == citation.quote
    assert any(isinstance(event, ContradictionFound) for event in events)
    assert "## Sources disagree" in report.markdown


def _add(folder: str) -> None:
    text = "# Chronicle\n\nThe harbour of Port Alder was opened in 1904 by the king.\n"
    (Path(folder) / "chronicle.md").write_text(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 99) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["found", "statements", "text", "passages", "short", "queries", "notes"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
).map(json.dumps)


@given(replies=st.lists(JSON | st.sampled_from([ENOUGH, SUPPORTED, NOT_FOUND]), min_size=1))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_no_model_output_breaks_a_run(
    replies: list[str], corpus: Corpus, store: PageStore, runs: RunStore
) -> None:
    turn = iter(range(10**6))

    def reply(request: GenerationRequest) -> str:
        return replies[next(turn) % len(replies)]

    researcher = Researcher(
        engine=ScriptedEngine(respond=reply),
        reader=FirstStageReader(HybridRanker(None)),
        sources=[CorpusSource(corpus)],
        pages=store,
        runs=runs,
        effort=Effort(votes=2, sufficiency=True, retrieved_context=True, intent_clusters=True),
    )
    report = await researcher.run("When was the harbour of Port Alder opened?")
    assert report.status in ("complete", "partial", "failed")
    for claim in report.claims:
        for citation in claim.citations:
            assert store.get(citation.page_id).text[citation.start : citation.end] == citation.quote
