"""What a run ends in: claims that lead to the words they rest on, and an honest status."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from ..budget import Usage
from ..evidence import Citation
from ..tools.quarantine import safe_markdown
from .citation_numbers import CitationNumbers
from .tables.wide_table import WideTable

Status = Literal["complete", "partial", "budget_exhausted", "failed"]
Verdict = Literal["supported", "unsupported", "unchecked"]

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


class Report(_Value):
    """The result of a run, as ``--json`` prints it."""

    run_id: str
    status: Status
    question: str
    answer: str = ""
    """The answer in a few words: a name, a number, a date; empty where there is no such thing."""
    agreement: float | None = None
    """The share of sampled answers that say ``answer``; None where none were sampled."""
    markdown: str
    claims: tuple[Claim, ...]
    open_questions: tuple[str, ...]
    usage: Usage
    unread: tuple[Citation, ...] = ()
    """Quotes that were found but that no answer was made of before the run ended."""
    table: WideTable | None = None
    """The table, where one was asked for."""
    errors: tuple[RunProblem, ...] = ()
    dropped_citations: int = 0
    """References to evidence that does not exist, dropped before the report was written."""
    contradictions: tuple[Contradiction, ...] = ()
    repaired_claims: int = 0
    """Statements that no source bore out and that were written anew from their sources."""
    removed_claims: int = 0
    """Statements that no source bore out and that were left out."""
    model: str = ""
    reader: str = ""
    started_at: datetime
    finished_at: datetime


def render_markdown(
    claims: Sequence[Claim],
    *,
    status: Status,
    answer: str = "",
    open_questions: Sequence[str] = (),
    problems: Sequence[str] = (),
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
        paragraphs.insert(0, f"**{_value(answer)}**")
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
    if problems:
        named = "\n".join(f"- {_escape(problem)}" for problem in problems)
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
