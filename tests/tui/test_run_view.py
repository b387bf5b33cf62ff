from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta

from leadline.agent.events import (
    ClaimDrafted,
    ClaimVerified,
    Event,
    EvidenceFound,
    NodeChanged,
    PageRead,
    PlanUpdated,
    ReadingFinished,
    ReadingProgressed,
    RunStarted,
    SearchFinished,
    SearchStarted,
    Warned,
    parse_event,
)
from leadline.agent.report import Claim
from leadline.agent.research_graph import ResearchGraph
from leadline.evidence import Citation, Evidence, Span
from leadline.tui.best_evidence import EVIDENCE
from leadline.tui.run_view import LOG_LINES, PAGES, RunView

START = datetime(2026, 11, 25, tzinfo=UTC)
PAGE = "a" * 64


def graph(*questions: str) -> ResearchGraph:
    plan = ResearchGraph(question="Why?")
    for question in questions:
        plan.add(question)
    return plan


def evidence(start: int, page_id: str = PAGE) -> Evidence:
    quote = "words"
    span = Span(page_id=page_id, start=start, end=start + len(quote), quote=quote)
    return Evidence(span=span, score=1 / (1 + start), question="Why?")


def stamped(*stream: Event) -> list[Event]:
    return [
        event.model_copy(
            update={"run_id": "r", "seq": n, "ts": START + timedelta(seconds=n)}, deep=True
        )
        for n, event in enumerate(stream)
    ]


def folded(*stream: Event) -> RunView:
    view = RunView()
    view.apply_all(stamped(*stream))
    return view


STORY: tuple[Event, ...] = (
    RunStarted(question="Why?", model="m", reader="r", sources=("docs",)),
    PlanUpdated(graph=graph("Who rules the harbour town?", "When did the ferry begin?")),
    NodeChanged(span_id="q1", state="running"),
    SearchStarted(span_id="q1", source="docs", query="harbour"),
    SearchFinished(span_id="q1", source="docs", query="harbour", found=1),
    PageRead(span_id="q1", page_id=PAGE, url="file:///a", title="A", characters=900),
    ReadingProgressed(span_id="q1", read_tokens=100, total_tokens=400, seconds=1.0),
    ReadingFinished(span_id="q1", pages=1, read_tokens=400, seconds=2.0),
    EvidenceFound(span_id="q1", evidence=evidence(5), title="A", url="file:///a"),
    NodeChanged(span_id="q1", state="answered", answer="Ines does."),
    ClaimDrafted(claim=Claim(text="Ines rules.")),
    ClaimVerified(claim="Ines rules.", verdict="supported"),
)


def test_a_story_is_folded_into_what_the_screens_draw() -> None:
    view = folded(*STORY)
    assert (view.question, view.model, view.phase) == ("Why?", "m", "checking")
    node = view.nodes["q1"]
    assert (node.state, node.answer) == ("answered", "Ines does.")
    assert node.work.seconds(START + timedelta(days=1)) == 7
    assert [search.found for search in node.work.searches] == [1]
    assert list(node.work.pages) == [PAGE]
    assert node.work.reading is not None and node.work.reading.speed == 200
    assert view.tokens_read == 400
    assert [claim.verdict for claim in view.claims.values()] == ["supported"]


def test_a_saved_log_gives_the_same_view() -> None:
    live = folded(*STORY)
    replayed = RunView()
    replayed.apply_all(parse_event(event.model_dump_json()) for event in stamped(*STORY))
    assert replayed == live


def test_a_question_that_is_asked_again_begins_anew() -> None:
    view = folded(*STORY, PlanUpdated(graph=graph("Who rules the harbour town?")))
    assert list(view.nodes) == ["q1"]
    assert view.nodes["q1"].state == "waiting"
    assert not view.nodes["q1"].work.evidence


def test_what_belongs_to_no_question_harms_nothing() -> None:
    view = folded(
        NodeChanged(span_id="q9", state="running"),
        SearchFinished(span_id="q9", source="docs", query="x", found=3),
        EvidenceFound(span_id="q9", evidence=evidence(0), title="", url=""),
        ClaimVerified(claim="Never drafted.", verdict="unsupported", reason="made up"),
    )
    assert view.nodes == {}
    assert view.claims["Never drafted."].reason == "made up"


def test_a_run_of_ten_thousand_events_stays_small() -> None:
    view = folded(*STORY[:3])

    def go_on(first: int, count: int) -> None:
        for n in range(first, first + count):
            page_id = f"{n:064x}"
            view.apply(PageRead(span_id="q1", page_id=page_id, url="u", title="t", characters=1))
            view.apply(EvidenceFound(span_id="q1", evidence=evidence(n), title="t", url="u"))
            view.apply(SearchStarted(span_id="q1", source="docs", query=f"query {n}"))
            view.apply(Warned(span_id="q1", message=f"warning {n}"))

    tracemalloc.start()
    go_on(0, 2_500)
    before, _ = tracemalloc.get_traced_memory()
    go_on(2_500, 2_500)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    work = view.nodes["q1"].work
    assert len(view.log) == LOG_LINES
    assert view.logged == 5_001
    assert (len(work.pages), len(work.evidence)) == (PAGES, EVIDENCE)
    assert after - before < 200_000


def test_what_a_claim_cites_stays_in_view_of_its_question() -> None:
    def found(n: int, score: float) -> EvidenceFound:
        piece = evidence(n).model_copy(update={"score": score})
        return EvidenceFound(span_id="q1", evidence=piece, title="A", url="file:///a")

    def claim(n: int) -> ClaimDrafted:
        span = evidence(n).span.model_dump()
        return ClaimDrafted(
            claim=Claim(text=f"{n}", citations=(Citation(**span, url="u", title="A"),))
        )

    better = [found(n, n) for n in range(10, 10 + EVIDENCE)]
    view = folded(*STORY[:6], found(1, 0.1), claim(1), found(2, 0.2), *better, claim(2))
    starts = [each.evidence.span.start for each in view.nodes["q1"].work.evidence]
    assert len(starts) == EVIDENCE
    assert starts == [*range(9 + EVIDENCE, 11, -1), 1, 2]
