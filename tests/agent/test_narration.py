from __future__ import annotations

from datetime import UTC, datetime

import pytest

from leadline.agent import events
from leadline.agent.narration import line_of
from leadline.agent.report import Contradiction
from leadline.budget import Limits
from leadline.evidence import Citation

SOURCE = Citation(page_id="a" * 64, url="file:///a", title="A", start=0, end=4, quote="1902")


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (events.Warned(span_id="q2", message="no page came"), "q2  no page came"),
        (events.Warned(message="no page came"), "no page came"),
        (
            events.ClarificationAsked(question="Which one?", choices=("the tree", "the file")),
            "asked back: Which one? (the tree; the file)",
        ),
        (events.ClarificationAnswered(answer="the tree"), "meant: the tree"),
        (events.ClarificationAnswered(answer=None), "meant: left to the run"),
        (
            events.QueryRewritten(span_id="q1", strategy="rewording", query="a b", weight=0.5),
            "q1  reworded (rewording): “a b”",
        ),
        (
            events.QueryRewritten(span_id="q1", strategy="rewording", query="a 1902", weight=0),
            "q1  reworded (rewording, not searched for): “a 1902”",
        ),
        (
            events.ContradictionFound(
                contradiction=Contradiction(
                    question="When?",
                    first="1902",
                    first_citation=SOURCE,
                    second="1903",
                    second_citation=SOURCE,
                )
            ),
            "sources disagree on “When?”: 1902 or 1903",
        ),
        (events.LimitsChanged(limits=Limits(seconds=90, pages=1_000)), "limits: 90 s, 1,000 pages"),
        (events.LimitsChanged(limits=Limits()), "limits: none"),
        (
            events.PageRecalled(
                span_id="q1",
                page_id="a" * 64,
                url="https://example.org/",
                claim="It opened in 1902.",
                earlier_run="r1",
                found_at=datetime(2026, 11, 25, tzinfo=UTC),
            ),
            "q1  recalled https://example.org/, which run r1 rested on (2026-11-25)",
        ),
    ],
)
def test_what_a_person_cares_about_is_a_line(event: events.Event, line: str) -> None:
    assert line_of(event) == line


@pytest.mark.parametrize(
    "event",
    [
        events.SearchStarted(source="web", query="a"),
        events.NodeChanged(span_id="q1", state="running"),
        events.ReadingProgressed(read_tokens=1, seconds=1.0),
    ],
)
def test_what_only_moves_a_gauge_is_no_line(event: events.Event) -> None:
    assert line_of(event) is None
