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


class Report(_Value):
    """The result of a run, as ``--json`` prints it."""

    run_id: str
    status: Status
    question: str
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
    model: str = ""
    reader: str = ""
    started_at: datetime
    finished_at: datetime


def render_markdown(
    claims: Sequence[Claim],
    *,
    status: Status,
    open_questions: Sequence[str] = (),
    problems: Sequence[str] = (),
    unread: Sequence[Citation] = (),
) -> str:
    """The report as Markdown: numbered claims, what is missing and why, the sources with quotes.

    ``unread`` are quotes that were found but that no answer was made of before the run ended.
    """
    numbers = CitationNumbers()
    paragraphs = [
        " ".join(_sentence(claim, [numbers.number(c) for c in claim.citations]) for claim in claims)
    ]
    if not claims:
        paragraphs = ["No answer was found in what was searched."]
    if status == "budget_exhausted":
        paragraphs.append("*The budget ran out before the research was finished.*")
    if unread:
        quotes = "\n".join(f"- {_quote(c.quote)} [{numbers.number(c)}]" for c in unread)
        paragraphs.append(f"Passages found, not yet made into an answer:\n\n{quotes}")
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


def _source(number: int, citation: Citation) -> str:
    sheet = f", page {citation.sheet}" if citation.sheet else ""
    title = citation.title.strip() or citation.url
    url = citation.url.replace("<", "%3C").replace(">", "%3E")
    return f"{number}. {_escape(title)}{sheet} — <{url}>\n   > {_quote(citation.quote)}"


def _quote(text: str) -> str:
    return _escape(" ".join(text.split()))


def _escape(text: str) -> str:
    """Page text is shown to the letter, never as markup: no image, link or tag of its own."""
    text = _MARKUP.sub(r"\\\g<0>", text)
    return text.replace("://", r":\/\/").replace("www.", r"www\.")
