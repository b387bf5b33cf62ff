"""Paragraphs with questions whose answers stand in them: the English part of XQuAD.

Artetxe et al., "On the Cross-lingual Transferability of Monolingual Representations" (ACL 2020):
a subset of SQuAD's articles.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

from pydantic import Field, TypeAdapter

from ..segmentation import sentences
from .data_files import DataRecord, damaged, read_json


class _Answer(DataRecord):
    answer_start: int = Field(ge=0)
    text: str = Field(min_length=1)


class _Asked(DataRecord):
    question: str
    answers: tuple[_Answer, ...] = Field(min_length=1)


class _Paragraph(DataRecord):
    context: str
    qas: tuple[_Asked, ...]


class _Article(DataRecord):
    paragraphs: tuple[_Paragraph, ...]


class _DataSet(DataRecord):
    data: tuple[_Article, ...]


@dataclass(frozen=True, slots=True)
class AskedParagraph:
    """A paragraph, one of its questions, and ``[start, end)`` of the sentence that answers it."""

    question: str
    text: str
    start: int
    end: int


def read_articles(folder: Path) -> list[list[AskedParagraph]]:
    """For each article its paragraphs and questions: a question of each paragraph, then another.

    Raises:
        ConfigError: ``xquad.en.json`` is missing or damaged.
    """
    path = folder / "xquad.en.json"
    articles = []
    for article in read_json(path, TypeAdapter(_DataSet)).data:
        asked = [
            [_asked(path, paragraph, question) for question in paragraph.qas]
            for paragraph in article.paragraphs
        ]
        in_turns = chain.from_iterable(zip_longest(*asked))
        articles.append([item for item in in_turns if item is not None])
    return [article for article in articles if article]


def _asked(path: Path, paragraph: _Paragraph, asked: _Asked) -> AskedParagraph:
    answer, text = asked.answers[0], paragraph.context
    start, end = answer.answer_start, answer.answer_start + len(answer.text)
    if not answer.text.strip() or text[start:end] != answer.text:
        raise damaged(path, f"the answer to {asked.question!r} does not stand where it says")
    touched = [(a, b) for a, b in sentences(text) if a < end and start < b]
    return AskedParagraph(asked.question, text, touched[0][0], touched[-1][1])
