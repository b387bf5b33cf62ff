"""The report as it is written: statements with marks that lead to the words they rest on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from textual.content import Content

from ...agent.report import Claim, Report
from ...evidence import Citation
from ...safe_text import safe_line
from ..run_view import RunView
from ..wording import STATUS_WORDS, VERDICT_SIGNS, VERDICT_WORDS
from .rows import Row, RowList, hanging

_QUOTE_CHARACTERS = 240


class ReportView(RowList):
    """A statement opens the pages it cites, a source the words in its page."""

    def update(self, view: RunView) -> None:
        claims = list(view.claims.values())
        sources = sources_of(claims)
        rows = [
            _claim(number, claim, sources, self.row_width) for number, claim in enumerate(claims)
        ]
        if view.report is not None:
            rows += _ending(view.report)
        elif not claims:
            rows = [_muted("The report is written here once the questions are answered")]
        if sources:
            rows.append(_heading("Sources"))
        rows += [
            _source(number, citation, self.row_width)
            for number, citation in enumerate(sources, start=1)
        ]
        self.show(rows)


def sources_of(claims: Iterable[Claim]) -> list[Citation]:
    """Every cited span once, in the order in which a report numbers them."""
    return list({_place(c): c for claim in claims for c in claim.citations}.values())


def _claim(number: int, claim: Claim, sources: Sequence[Citation], width: int) -> Row:
    places = [_place(source) for source in sources]
    numbers = dict.fromkeys(places.index(_place(c)) + 1 for c in claim.citations)
    sign, colour = VERDICT_SIGNS[claim.verdict]
    doubt = claim.reason or VERDICT_WORDS[claim.verdict]
    marks = "".join(f" [{number}]" for number in numbers)
    text = Content.assemble(safe_line(claim.text), (marks, "$text-accent"))
    lines = [hanging(Content.styled(f"{sign} ", colour), text, width)]
    if claim.verdict != "supported":
        lines.append(hanging(Content("  "), Content.styled(safe_line(doubt), colour), width))
    return Row(Content("\n").join(lines), f"claim:{number}")


def _source(number: int, citation: Citation, width: int) -> Row:
    sheet = f", page {citation.sheet}" if citation.sheet else ""
    quote = safe_line(citation.quote, _QUOTE_CHARACTERS)
    lead = Content.styled(f"[{number}] ", "$text-accent")
    title = Content(f"{safe_line(citation.title or citation.url)}{sheet}")
    quoted = Content.styled(f"“{quote}”", "$text-muted")
    content = Content("\n").join(
        [
            hanging(lead, title, width),
            hanging(Content(" " * lead.cell_length), quoted, width),
        ]
    )
    return Row(content, f"source:{number - 1}")


def _ending(report: Report) -> list[Row]:
    rows = []
    if report.status != "complete":
        rows.append(Row(Content.styled(f"\n{STATUS_WORDS[report.status].capitalize()}", "bold")))
    if report.open_questions:
        rows.append(_heading("Open questions"))
    rows += [_muted(f"- {safe_line(text)}") for text in report.open_questions]
    if report.errors:
        rows.append(_heading("What failed"))
    for problem in report.errors:
        said = f"- {problem.where}  {safe_line(problem.message)}"
        rows.append(Row(Content.styled(said, "$text-error")))
    return rows


def _place(citation: Citation) -> tuple[str, int, int]:
    return citation.page_id, citation.start, citation.end


def _heading(text: str) -> Row:
    return Row(Content.styled(f"\n{text}", "bold $text-accent"))


def _muted(text: str) -> Row:
    return Row(Content.styled(text, "$text-muted"))
