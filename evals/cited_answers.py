"""Answers on a corpus beside the same model's answers without it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from ..agent.report import Report
from ..agent.researcher import Researcher
from ..budget import Limits
from ..cancellation import Cancellation
from ..evidence import Citation, Page
from ..runtime.engine import Engine, GenerationRequest, Message
from .intervals import wilson
from .question_set import CheckedQuestion
from .rows import Row

_CLOSED_BOOK = "Answer the question in one to three short sentences, from what you know."
_CLOSED_BOOK_TOKENS = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one question went."""

    question: str
    status: str
    answer: str
    """The report's claims as one text; the model's words in a closed-book run."""
    right: bool
    gold_cited: bool
    citations: int
    resolved: int
    """Citations that quote their page to the letter."""
    supported: int
    claims: int
    seconds: float


async def with_corpus(
    questions: Sequence[CheckedQuestion],
    researcher: Researcher,
    lookup: Callable[[str], Page],
    *,
    seconds: float | None,
    cancel: Cancellation,
) -> AsyncIterator[Outcome]:
    """Research each question; ``lookup`` finds a cited page."""
    for checked in questions:
        report = await researcher.run(
            checked.question, limits=Limits(seconds=seconds), cancel=cancel
        )
        yield _outcome(checked, report, lookup)


async def closed_book(
    questions: Sequence[CheckedQuestion], engine: Engine, *, cancel: Cancellation
) -> AsyncIterator[Outcome]:
    """Ask the model each question without any page."""
    for checked in questions:
        started = time.monotonic()
        messages = (Message("system", _CLOSED_BOOK), Message("user", checked.question))
        request = GenerationRequest(messages=messages, max_tokens=_CLOSED_BOOK_TOKENS)
        answer = (await engine.generate(request, cancel=cancel)).text.strip()
        yield Outcome(
            question=checked.question,
            status="closed-book",
            answer=answer,
            right=checked.is_right(answer),
            gold_cited=False,
            citations=0,
            resolved=0,
            supported=0,
            claims=0,
            seconds=time.monotonic() - started,
        )


def rows(outcomes: Sequence[Outcome], *, method: str, model: str, set_name: str) -> list[Row]:
    """The figures of a set of outcomes."""

    def share(metric: str, hits: int, n: int) -> Row:
        low, high = wilson(hits, n)
        return Row(method, model, set_name, metric, hits / n if n else 0.0, low, high, n)

    n = len(outcomes)
    times = [outcome.seconds for outcome in outcomes]
    found = [share("right", sum(outcome.right for outcome in outcomes), n)]
    if any(outcome.status != "closed-book" for outcome in outcomes):
        cited = sum(outcome.citations for outcome in outcomes)
        claims = sum(outcome.claims for outcome in outcomes)
        found += [
            share("gold page cited", sum(outcome.gold_cited for outcome in outcomes), n),
            share("complete", sum(outcome.status == "complete" for outcome in outcomes), n),
            share("citations resolve", sum(outcome.resolved for outcome in outcomes), cited),
            share("claims supported", sum(outcome.supported for outcome in outcomes), claims),
        ]
    mean = sum(times) / n if n else 0.0
    low, high = min(times, default=0.0), max(times, default=0.0)
    return [*found, Row(method, model, set_name, "seconds", mean, low, high, n)]


def _outcome(checked: CheckedQuestion, report: Report, lookup: Callable[[str], Page]) -> Outcome:
    citations = [citation for claim in report.claims for citation in claim.citations]
    answer = " ".join(claim.text for claim in report.claims)
    return Outcome(
        question=checked.question,
        status=report.status,
        answer=answer,
        right=checked.is_right(answer),
        gold_cited=any(checked.is_gold(citation.url) for citation in citations),
        citations=len(citations),
        resolved=sum(resolves(citation, lookup) for citation in citations),
        supported=sum(claim.verdict == "supported" for claim in report.claims),
        claims=len(report.claims),
        seconds=report.usage.seconds,
    )


def resolves(citation: Citation, lookup: Callable[[str], Page]) -> bool:
    """Whether a citation quotes its page to the letter."""
    text = lookup(citation.page_id).text
    return text[citation.start : citation.end] == citation.quote
