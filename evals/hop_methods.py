"""Ways to answer a multi-hop question: the model alone, with paragraphs, and by research."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..agent.events import Event, EvidenceFound
from ..agent.researcher import Researcher
from ..agent.sources import Source
from ..budget import Limits
from ..cancellation import Cancellation
from ..errors import LeadlineError
from ..evidence import Page
from ..runtime.engine import Engine, GenerationRequest, Message
from ..runtime.prompt_fitting import fit
from ..runtime.structured import parse_object
from .answer_match import word_f1
from .cited_answers import resolves
from .hop_questions import HopQuestion

BASELINES = ("closed-book", "gold-paragraphs", "one-shot")

_ONE_SHOT_PAGES = 8
_ANSWER_TOKENS = 60

_SHORT = """\
Answer the question with the shortest answer that is right: a name, a date, a number, or "yes" or \
"no". No sentence, no explanation. Always give your best guess. Answer in JSON."""


@dataclass(frozen=True, slots=True)
class HopAnswer:
    """What came of one question."""

    answer: str
    """The short answer; empty where there is none."""
    status: str
    seconds: float
    tokens: int
    """Prompt, completion and read tokens."""
    evidence: tuple[str, ...] = ()
    """URLs of the pages that something was read from."""
    citations: tuple[str, ...] = ()
    """URL of each citation's page."""
    resolved: int = 0
    """Citations that quote their page to the letter."""
    claims: int = 0
    unsupported: int = 0
    """Claims that are not found borne out by what they cite."""
    statements: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The claims' texts, each with the addresses that it cites."""


class HopMethod(Protocol):
    """Something that answers questions over one pool."""

    async def answer(self, question: HopQuestion, *, cancel: Cancellation) -> HopAnswer:
        """Raises ModelError, ServiceError: the model cannot be used; Cancelled."""
        ...


class _ShortAnswer(BaseModel):
    model_config = ConfigDict(extra="ignore")

    answer: str = Field(max_length=200)


@dataclass(frozen=True, slots=True)
class ModelAlone:
    """The model without any page."""

    engine: Engine

    async def answer(self, question: HopQuestion, *, cancel: Cancellation) -> HopAnswer:
        return await _asked(self.engine, question.question, (), cancel=cancel)


@dataclass(frozen=True, slots=True)
class GoldParagraphs:
    """The model with the gold paragraphs and no others: what no search can do better for it."""

    engine: Engine

    async def answer(self, question: HopQuestion, *, cancel: Cancellation) -> HopAnswer:
        return await _asked(self.engine, question.question, question.paragraphs, cancel=cancel)


@dataclass(frozen=True, slots=True)
class OneShot:
    """The best pages of one hybrid search, put before the model: retrieval-augmented generation
    as most programmes do it."""

    engine: Engine
    source: Source

    async def answer(self, question: HopQuestion, *, cancel: Cancellation) -> HopAnswer:
        started = time.monotonic()
        found = await self.source.find(question.question, limit=_ONE_SHOT_PAGES, cancel=cancel)
        texts = [page.text for page in found.pages]
        answer = await _asked(self.engine, question.question, texts, cancel=cancel)
        return HopAnswer(
            answer=answer.answer,
            status=answer.status,
            seconds=time.monotonic() - started,
            tokens=answer.tokens,
            evidence=tuple(page.final_url for page in found.pages),
        )


@dataclass(frozen=True, slots=True)
class Research:
    """A run of research over the pool."""

    researcher: Researcher
    lookup: Callable[[str], Page]
    seconds: float | None = None
    """Budget for a question."""

    async def answer(self, question: HopQuestion, *, cancel: Cancellation) -> HopAnswer:
        started = time.monotonic()
        read: dict[str, None] = {}

        def note(event: Event) -> None:
            if isinstance(event, EvidenceFound):
                read[event.url] = None

        try:
            report = await self.researcher.run(
                question.question,
                limits=Limits(seconds=self.seconds),
                cancel=cancel,
                on_event=note,
            )
        except LeadlineError as error:
            cancel.check()
            seconds = time.monotonic() - started
            return HopAnswer("", f"failed: {error}", seconds, 0, evidence=tuple(read))
        score = word_f1(report.answer, question.answers)
        await self.researcher.learn(report, score, cancel=cancel)
        citations = [citation for claim in report.claims for citation in claim.citations]
        usage = report.usage
        return HopAnswer(
            answer=report.answer,
            status=report.status,
            seconds=usage.seconds,
            tokens=usage.prompt_tokens + usage.completion_tokens + usage.read_tokens,
            evidence=tuple(read),
            citations=tuple(citation.url for citation in citations),
            resolved=sum(resolves(citation, self.lookup) for citation in citations),
            claims=len(report.claims),
            unsupported=sum(claim.verdict != "supported" for claim in report.claims),
            statements=tuple(
                (claim.text, tuple(citation.url for citation in claim.citations))
                for claim in report.claims
            ),
        )


async def _asked(
    engine: Engine, question: str, paragraphs: Sequence[str], *, cancel: Cancellation
) -> HopAnswer:
    """The model's short answer; the last paragraphs are left out where its window is too small."""

    def render(kept: Sequence[str]) -> tuple[Message, ...]:
        parts = [*reversed(kept), f"Question: {question}"]
        return Message("system", _SHORT), Message("user", "\n\n".join(parts))

    started = time.monotonic()
    fitted = await fit(engine, render, paragraphs, max_tokens=_ANSWER_TOKENS)
    request = GenerationRequest(
        messages=fitted.messages,
        max_tokens=_ANSWER_TOKENS,
        json_schema=_ShortAnswer.model_json_schema(),
    )
    generation = await engine.generate(request, cancel=cancel)
    try:
        answer, status = parse_object(generation, _ShortAnswer).answer.strip(), "complete"
    except ValidationError:
        answer, status = "", "failed: no valid answer"
    return HopAnswer(
        answer=answer,
        status=status,
        seconds=time.monotonic() - started,
        tokens=generation.prompt_tokens + generation.completion_tokens,
    )
