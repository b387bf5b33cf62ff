"""Whole screens at a fixed size, drawn from a log with fixed times."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from leadline.agent.events import (
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
    UsageUpdated,
    Warned,
)
from leadline.agent.research_graph import ResearchGraph
from leadline.agent.run_store import RunStore
from leadline.budget import Usage
from leadline.evidence import Evidence, Span
from leadline.locations import locations
from leadline.settings import load_settings
from leadline.tui.app import LeadlineApp

from .conftest import screen_text, until_shown

START = datetime(2026, 11, 25, tzinfo=UTC)
PAGE = "a" * 64
QUESTION = "How do readers and writers meet in a write-ahead log?"


def plan() -> ResearchGraph:
    graph = ResearchGraph(question=QUESTION, kind="multi-hop")
    graph.add("What does a reader see while somebody writes to the log?")
    graph.add("When is the log copied back into the database file by a checkpoint?")
    graph.add("How long may such a copy wait for the slowest reader?", ["q1", "q2"])
    return graph


def found(start: int, quote: str) -> EvidenceFound:
    span = Span(page_id=PAGE, start=start, end=start + len(quote), quote=quote)
    evidence = Evidence(span=span, score=1.0 / (1 + start), question=QUESTION)
    return EvidenceFound(span_id="q1", evidence=evidence, title="Write-Ahead Logging", url="u")


STORY: tuple[Event, ...] = (
    RunStarted(question=QUESTION, model="small", reader="small", sources=("docs",)),
    PlanUpdated(graph=plan()),
    NodeChanged(span_id="q1", state="running"),
    NodeChanged(span_id="q2", state="running"),
    SearchStarted(span_id="q1", source="docs", query="what a reader sees"),
    SearchFinished(span_id="q1", source="docs", query="what a reader sees", found=2),
    PageRead(span_id="q1", page_id=PAGE, url="u", title="Write-Ahead Logging", characters=31_000),
    ReadingFinished(span_id="q1", pages=1, read_tokens=4_000, seconds=8.0),
    found(120, "Readers can proceed at the same time as a writer."),
    found(900, "Each reader has its own end mark."),
    NodeChanged(span_id="q1", state="answered", answer="Each reader sees its own end mark."),
    SearchStarted(span_id="q2", source="docs", query="checkpoint"),
    SearchFinished(span_id="q2", source="docs", query="checkpoint", found=1),
    Warned(span_id="q2", message="one page could not be fetched"),
    ReadingProgressed(span_id="q2", read_tokens=1_500, total_tokens=4_500, seconds=3.0),
    UsageUpdated(usage=Usage(seconds=75.0, prompt_tokens=900, read_tokens=4_000, pages=1)),
)


@pytest.fixture
def app_of(home: object) -> Callable[..., LeadlineApp]:
    """The application on a kept run with these events."""

    def make(*stream: Event) -> LeadlineApp:
        folder = RunStore(locations().runs).create(
            QUESTION, model="small", reader="small", sources=("docs",)
        )
        log = folder.open_log(lambda event: None)
        for number, event in enumerate(stream):
            log.emit(event.model_copy(update={"ts": START + timedelta(seconds=5 * number)}))
        log.close()
        return LeadlineApp(load_settings(), open_run=folder.path.name)

    return make


# fmt: off
NARROW = """\
 How do readers and writers meet in a write-ahead log?
 ○ stopped, can be resumed · 1:15 · 1 page · 6,400 tokens · small

 ✓ q1 What does a reader see while somebody writes to the log?
      40 s · 1 page · 2 quotes
 ○ q2 When is the log copied back into the database file by a checkpoint?
      waits · 1:00 · 1 warning
 └─ ○ q3 How long may such a copy wait for the slowest reader?
         waits for q1, q2


 Findings  Report  Log
╸━━━━━━━━╺━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
 ✓ What does a reader see while somebody writes to the log?
 Each reader sees its own end mark.

 Searches
 docs  “what a reader sees”  2 pages
 read 4,000 tokens · 500 tokens/s
                                                                              ▂
 Quotes
  1  “Readers can proceed at the same time as a writer.”
     Write-Ahead Logging
 r Resume  esc Back  ^q Quit  ^r Sessions  f1 Help                  ▏^p palette"""

WIDE = """\
 How do readers and writers meet in a write-ahead log?
 ○ stopped, can be resumed · 1:15 · 1 page · 6,400 tokens · small

 ✓ q1 What does a reader see while somebody      Findings  Report  Log
      writes to the log?                        ━━━━━━━━━━╸━━━━━━╺━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━
      40 s · 1 page · 2 quotes                   ✗ Readers do not wait.
 ○ q2 When is the log copied back into the         no source
      database file by a checkpoint?
      waits · 1:05 · 1 warning
 └─ ○ q3 How long may such a copy wait for the
         slowest reader?
         waits for q1, q2











 r Resume  esc Back  ^q Quit  ^r Sessions  f1 Help                                                          ▏^p palette"""
# fmt: on


async def test_a_run_that_was_stopped_at_80_columns(app_of: Callable[..., LeadlineApp]) -> None:
    app = app_of(*STORY)
    async with app.run_test(size=(80, 24)) as pilot:
        await until_shown(pilot, "Each reader sees its own end mark.")
        await pilot.pause(0.6)
        assert screen_text(app) == NARROW


async def test_a_run_that_was_stopped_on_a_wide_screen(
    app_of: Callable[..., LeadlineApp],
) -> None:
    claim = ClaimVerified(claim="Readers do not wait.", verdict="unsupported", reason="no source")
    app = app_of(*STORY, claim)
    async with app.run_test(size=(120, 24)) as pilot:
        await until_shown(pilot, "Each reader sees its own end mark.")
        await pilot.press("2")
        await until_shown(pilot, "Readers do not wait.")
        await pilot.pause(0.6)
        assert screen_text(app) == WIDE
