"""A report as an answer of the TREC RAG track, in the JSON that Ragnarök exchanges.

Pradeep et al., "Ragnarök: a reusable RAG framework and baselines for TREC 2024
Retrieval-Augmented Generation Track" (arXiv 2406.16828), and the track's guidelines of 2024.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict

from ...errors import InputError
from ...segmentation import sentences
from ..report import Report

RUN_ID = "leadline"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class AnswerSentence(_Value):
    text: str
    citations: tuple[int, ...]
    """Places in the references, from 0."""


class TrecAnswer(_Value):
    """The answer to one topic."""

    run_id: str
    """The tag of the system; the same in all answers of a file."""
    topic_id: str
    topic: str
    """The question."""
    references: tuple[str, ...]
    """Addresses of the pages that are cited, each once, the first cited first."""
    response_length: int
    """Words of all sentences, parted by white space after Unicode's NFKC."""
    answer: tuple[AnswerSentence, ...]


def answer_of_report(
    report: Report, *, run_id: str = RUN_ID, topic_id: str | None = None
) -> TrecAnswer:
    """The claims of a report; ``topic_id`` is the run's id unless it is given.

    Neither the track's limit of words nor that of references is imposed.

    Raises:
        InputError: the report has a table instead of claims.
    """
    if report.table is not None:
        raise InputError(
            f"run {report.run_id} has a table and no statements",
            remedy="write it with -o as .csv or .json",
        )
    claims = [(claim.text, [c.url for c in claim.citations]) for claim in report.claims]
    return answer_of(
        claims, run_id=run_id, topic_id=topic_id or report.run_id, topic=report.question
    )


def answer_of(
    statements: Iterable[tuple[str, Sequence[str]]], *, run_id: str, topic_id: str, topic: str
) -> TrecAnswer:
    """The answer that consists of ``statements``, texts with the addresses that each cites."""
    references: dict[str, int] = {}
    said = []
    for text, addresses in statements:
        places = dict.fromkeys(references.setdefault(each, len(references)) for each in addresses)
        said += [
            AnswerSentence(text=sentence, citations=tuple(places)) for sentence in _sentences(text)
        ]
    return TrecAnswer(
        run_id=run_id,
        topic_id=topic_id,
        topic=topic,
        references=tuple(references),
        response_length=sum(_words(sentence.text) for sentence in said),
        answer=tuple(said),
    )


def _sentences(text: str) -> list[str]:
    found = [text[start:end].strip() for start, end in sentences(text)]
    return [sentence for sentence in found if sentence]


def _words(text: str) -> int:
    return len(unicodedata.normalize("NFKC", text).split())
