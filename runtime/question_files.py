"""Questions with their paragraphs out of data files, gold ones and look-alikes.

Two layouts are read: HotpotQA's (Yang et al., EMNLP 2018), which 2WikiMultiHopQA shares, and
MuSiQue's (Trivedi et al., TACL 2022); as one JSON list or as one JSON object a line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from ..errors import InputError
from .calibration import CalibrationQuestion
from .heads import CalibrationData
from .made_pages import made_page
from .passages import Passage


class _DataRecord(BaseModel):
    """Fields that calibration does not need are left aside."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _MusiqueParagraph(_DataRecord):
    title: str
    paragraph_text: str
    is_supporting: bool


class _MusiqueQuestion(_DataRecord):
    question: str
    paragraphs: tuple[_MusiqueParagraph, ...] = Field(min_length=1)

    def marked(self) -> list[tuple[str, str, bool]]:
        """Title, text and whether it is gold, of each paragraph."""
        return [(p.title, p.paragraph_text, p.is_supporting) for p in self.paragraphs]


class _HotpotQuestion(_DataRecord):
    question: str
    context: tuple[tuple[str, tuple[str, ...]], ...] = Field(min_length=1)
    """Titles with their sentences."""
    supporting_facts: tuple[tuple[str, int], ...]
    """Titles with the numbers of sentences."""

    def marked(self) -> list[tuple[str, str, bool]]:
        gold = {title for title, _ in self.supporting_facts}
        return [(title, "".join(lines), title in gold) for title, lines in self.context]


def read_question_file(path: Path) -> list[CalibrationQuestion]:
    """The questions of a file that have gold and other paragraphs, in its order.

    Raises:
        InputError: the file cannot be read, has another layout, or no such questions.
    """
    try:
        items = _items(_bytes(path))
    except ValueError as error:
        raise _unfit(path, f"it is no JSON ({error})") from error
    first = items[0] if items else None
    kind = (
        _MusiqueQuestion if isinstance(first, dict) and "paragraphs" in first else _HotpotQuestion
    )
    try:
        records: Sequence[_MusiqueQuestion | _HotpotQuestion] = TypeAdapter(
            list[kind]  # type: ignore[valid-type]
        ).validate_python(items)
    except ValidationError as error:
        detail = error.errors()[0]
        place = ".".join(str(part) for part in detail["loc"])
        raise _unfit(path, f"{place}: {detail['msg']}") from error
    questions = [_question(record.question, record.marked()) for record in records]
    usable = [q for q in questions if 0 < len(q.gold) < len(q.passages)]
    if not usable:
        raise _unfit(path, "no question has gold and other paragraphs")
    return usable


def describe_file(path: Path, questions: Sequence[CalibrationQuestion]) -> CalibrationData:
    """What a head table says of ``questions``, the first ones of the file.

    Raises:
        InputError: the file cannot be read.
    """
    return CalibrationData(
        name=path.name,
        sha256=hashlib.sha256(_bytes(path)).hexdigest(),
        questions=len(questions),
        passages=sum(len(question.passages) for question in questions),
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror})") from error


def _items(data: bytes) -> list[object]:
    if data.lstrip()[:1] == b"[":
        items = from_json(data)
        assert isinstance(items, list)
        return items
    return [from_json(line) for line in data.splitlines() if line.strip()]


def _question(question: str, paragraphs: Sequence[tuple[str, str, bool]]) -> CalibrationQuestion:
    pages = [made_page(title, text) for title, text, _ in paragraphs]
    return CalibrationQuestion(
        question,
        tuple(Passage(page, 0, len(page.text)) for page in pages),
        tuple(place for place, (_, _, is_gold) in enumerate(paragraphs) if is_gold),
    )


def _unfit(path: Path, problem: str) -> InputError:
    return InputError(
        f"{path} cannot be calibrated on ({problem})",
        remedy="give a file of questions as HotpotQA or MuSiQue have it",
    )
