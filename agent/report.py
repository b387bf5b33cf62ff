"""What a run ends in: claims that lead to the words they rest on, and an honest status."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from ..budget import Usage
from ..errors import InputError
from ..evidence import Citation
from ..tools.quarantine import safe_markdown
from . import report_forms
from .citation_numbers import CitationNumbers
from .tables.wide_table import WideTable

Status = Literal["complete", "partial", "budget_exhausted", "failed"]
Verdict = Literal["supported", "unsupported", "unchecked"]

SHOWN_WARNINGS = 20
"""Of a report's warnings, in its Markdown."""
SOURCES_HEADING = "## Sources"
"""Opens the last section of a report's Markdown."""
_MARKUP = re.compile(r"[\\`*_\[\]<>|#~&]")


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Claim(_Value):
    """One statement of the report and the spans it rests on."""

    text: str
    citations: tuple[Citation, ...] = ()
    verdict: Verdict = "unchecked"
    reason: str = ""
    """Why the verdict is not ``supported``."""


class RunProblem(_Value):
    """Something that went wrong, and where."""

    where: str
    """The id of the sub-question."""
    kind: str
    """The class of the error, by its name in :mod:`leadline.errors`."""
    message: str


class Contradiction(_Value):
    """Two sources that answer one question differently."""

    question: str
    first: str
    """The value that ``first_citation`` gives."""
    first_citation: Citation
    second: str
    second_citation: Citation


class Findings(_Value):
    """What a report says beside its statements."""

    answer: str = ""
    agreement: float | None = None
    contradictions: tuple[Contradiction, ...] = ()
    dropped_citations: int = 0
    repaired_claims: int = 0
    removed_claims: int = 0


class Report(_Value):
    """The result of a run, as ``--json`` prints it."""

    run_id: str
    """By which the run is shown, resumed and followed up."""
    status: Status
    """``complete``; ``partial``: a part has no answer; ``budget_exhausted``; ``failed``."""
    question: str
    """The question as it was asked."""
    answer: str = ""
    """The answer in a few words: a name, a number, a date; empty where there is no such thing."""
    agreement: float | None = None
    """The share of sampled answers that say ``answer``; None where none were sampled."""
    markdown: str
    """The report with numbered citations and its sources."""
    claims: tuple[Claim, ...]
    """The statements in order, each with the spans it rests on."""
    open_questions: tuple[str, ...]
    """Sub-questions that stayed without an answer."""
    usage: Usage
    """What the run used: time, tokens, pages, money."""
    unread: tuple[Citation, ...] = ()
    """Quotes that were found but that no answer was made of before the run ended."""
    table: WideTable | None = None
    """The table, where one was asked for."""
    errors: tuple[RunProblem, ...] = ()
    """What cost a sub-question its answer."""
    warnings: tuple[str, ...] = ()
    """What went wrong on the way and cost no sub-question its search: pages that failed, say."""
    dropped_citations: int = 0
    """References to evidence that does not exist, dropped before the report was written."""
    contradictions: tuple[Contradiction, ...] = ()
    """Where sources answer one question differently."""
    repaired_claims: int = 0
    """Statements that no source bore out and that were written anew from their sources."""
    removed_claims: int = 0
    """Statements that no source bore out and that were left out."""
    model: str = ""
    """The id of the model that planned and wrote."""
    reader: str = ""
    """The id of the model that read."""
    started_at: datetime
    """In UTC; a resumed run keeps its first start."""
    finished_at: datetime
    """In UTC."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, as ``--json`` prints it; :meth:`from_dict` takes it back."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, data: Mapping[str, object]) -> Self:
        """The report that :meth:`to_dict` was made of.

        Raises:
            InputError: ``data`` is no report's.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise InputError(
                f"this is no report ({error.error_count()} fields do not fit)",
                remedy="give what Report.to_dict or `leadline … --json` made",
            ) from error

    def to_markdown(self) -> str:
        """The report with numbered citations and its sources, as the command line prints it."""
        return self.markdown

    def to_html(self) -> str:
        """The report as an HTML page of its own, which loads nothing and runs no script."""
        from .exports.formats import exported

        return exported(self, "html").decode()

    def to_csv(self) -> str:
        """The table where there is one; otherwise the claims, a row for each citation."""
        return report_forms.csv_text(self)

    def to_pandas(self) -> Any:
        """What :meth:`to_csv` writes, as a ``pandas.DataFrame``; missing cells are NA.

        Raises:
            MissingExtra: pandas is not installed.
        """
        return report_forms.data_frame(self)

    def _repr_markdown_(self) -> str:
        return self.markdown

    def _repr_html_(self) -> str:
        return report_forms.html_fragment(self)


def markdown_of(report: Report) -> str:
    """What :func:`render_markdown` makes of the parts of ``report``."""
    return render_markdown(
        report.claims,
        status=report.status,
        answer=report.answer,
        agreement=report.agreement,
        open_questions=report.open_questions,
        problems=[problem.message for problem in report.errors],
        warnings=report.warnings,
        unread=report.unread,
        contradictions=report.contradictions,
        repaired_claims=report.repaired_claims,
        removed_claims=report.removed_claims,
    )


def render_markdown(
    claims: Sequence[Claim],
    *,
    status: Status,
    answer: str = "",
    agreement: float | None = None,
    open_questions: Sequence[str] = (),
    problems: Sequence[str] = (),
    warnings: Sequence[str] = (),
    unread: Sequence[Citation] = (),
    contradictions: Sequence[Contradiction] = (),
    repaired_claims: int = 0,
    removed_claims: int = 0,
) -> str:
    """The report as Markdown: the answer, numbered claims, what is missing and why, the sources.

    ``unread`` are quotes that were found but that no answer was made of before the run ended.
    """
    numbers = CitationNumbers()
    paragraphs = [
        " ".join(_sentence(claim, [numbers.number(c) for c in claim.citations]) for claim in claims)
    ]
    if not claims:
        paragraphs = ["No answer was found in what was searched."]
    elif answer.strip():
        share = "" if agreement is None else f" *({agreement:.0%} of the samples say so)*"
        paragraphs.insert(0, f"**{_value(answer)}**{share}")
    if status == "budget_exhausted":
        paragraphs.append("*The budget ran out before the research was finished.*")
    if unread:
        quotes = "\n".join(f"- {_value(c.quote)} [{numbers.number(c)}]" for c in unread)
        paragraphs.append(f"Passages found, not yet made into an answer:\n\n{quotes}")
    if contradictions:
        told = "\n".join(
            f"- {_value(c.question)}\n"
            f"  - {_value(c.first)} [{numbers.number(c.first_citation)}]\n"
            f"  - {_value(c.second)} [{numbers.number(c.second_citation)}]"
            for c in contradictions
        )
        paragraphs.append(f"## Sources disagree\n\n{told}")
    if note := _doubts(repaired_claims, removed_claims):
        paragraphs.append(f"*{note}*")
    if open_questions:
        questions = "\n".join(f"- {question}" for question in open_questions)
        paragraphs.append(f"## Open questions\n\n{questions}")
    if problems or warnings:
        lines = [*problems, *warnings[:SHOWN_WARNINGS]]
        if len(warnings) > SHOWN_WARNINGS:
            lines.append(f"and {len(warnings) - SHOWN_WARNINGS} more")
        named = "\n".join(f"- {_escape(line)}" for line in lines)
        paragraphs.append(f"## What failed\n\n{named}")
    if numbers.sources:
        listed = "\n".join(_source(number, c) for number, c in enumerate(numbers.sources, 1))
        paragraphs.append(f"{SOURCES_HEADING}\n\n{listed}")
    return "\n\n".join(paragraphs) + "\n"


def _sentence(claim: Claim, numbers: Sequence[int]) -> str:
    text = safe_markdown(claim.text.strip(), [c.url for c in claim.citations]).strip()
    if text and text[-1] not in ".!?。！？:":
        text += "."
    marks = "".join(f"[{n}]" for n in dict.fromkeys(numbers))
    doubt = " *(not supported by its source)*" if claim.verdict == "unsupported" else ""
    return f"{text}{' ' if marks else ''}{marks}{doubt}"


def _doubts(repaired: int, removed: int) -> str:
    """What became of statements that their sources did not bear out."""
    parts = []
    if repaired:
        parts.append(f"{_statements(repaired)} written anew from the sources")
    if removed:
        parts.append(f"{_statements(removed)} left out")
    return f"Not borne out by the sources as first written: {', '.join(parts)}." if parts else ""


def _statements(count: int) -> str:
    return f"{count} statement{'' if count == 1 else 's'}"


def _value(text: str) -> str:
    return _escape(" ".join(text.split()))


def _source(number: int, citation: Citation) -> str:
    sheet = f", page {citation.sheet}" if citation.sheet else ""
    title = citation.title.strip() or citation.url
    url = citation.url.replace("<", "%3C").replace(">", "%3E")
    return f"{number}. {_escape(title)}{sheet} — <{url}>\n   > {_value(citation.quote)}"


def _escape(text: str) -> str:
    """Page text is shown to the letter, never as markup: no image, link or tag of its own."""
    text = _MARKUP.sub(r"\\\g<0>", text)
    return text.replace("://", r":\/\/").replace("www.", r"www\.")
