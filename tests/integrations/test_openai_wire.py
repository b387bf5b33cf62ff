from __future__ import annotations

from datetime import UTC, datetime

from leadline.agent.report import Claim, Report, render_markdown
from leadline.budget import Usage
from leadline.evidence import Citation
from leadline.integrations.openai_wire import url_citations

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def cited(start: int) -> Citation:
    return Citation(
        page_id="a" * 64, url="file:///a", title="A", start=start, end=start + 4, quote="1902"
    )


def report_of(claims: tuple[Claim, ...], markdown: str) -> Report:
    return Report(
        run_id="r",
        status="complete",
        question="When?",
        markdown=markdown,
        claims=claims,
        open_questions=(),
        usage=Usage(),
        started_at=NOW,
        finished_at=NOW,
    )


def places(report: Report) -> list[str]:
    found = [annotation["url_citation"] for annotation in url_citations(report)]
    return [report.markdown[each["start_index"] : each["end_index"]] for each in found]


def test_every_cited_span_is_named_once_at_its_number() -> None:
    claims = (
        Claim(text="It opened in 1902.", citations=(cited(0), cited(9))),
        Claim(text="So it did [1].", citations=(cited(0),)),
    )
    markdown = render_markdown(claims, status="complete")
    assert places(report_of(claims, markdown)) == ["[1]", "[2]"]


def test_a_number_that_the_markdown_lacks_has_an_empty_place() -> None:
    claims = (Claim(text="It opened in 1902.", citations=(cited(0),)),)
    assert places(report_of(claims, "A table, without numbers.\n")) == [""]
