"""Finding heads by answers that stand in the text: the answer is given, who looked it up?

A retrieval head is one whose largest attention, as the model writes a token of a needle, lies on
that token in the needle (arXiv 2404.15574, §2). Here nothing is generated: the answer's tokens are
put after the question, and the rows that would predict them are looked at. The texts are made: each
sentence says what somebody keeps and where, and one of them is asked for.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..cancellation import Cancellation
from ..progress import Progress, silent
from .calibration import all_heads, best_heads
from .decoder import Decoder
from .heads import CalibrationData, Head, ScoredHead
from .made_pages import made_page
from .passages import Passage
from .row_attention import row_attention, strongest_column
from .windows import WindowBuilder

_PASSAGES = 6
_SENTENCES = 5
"""A passage's."""

_SYLLABLES = [
    "ba",
    "den",
    "for",
    "gal",
    "hest",
    "il",
    "jor",
    "kem",
    "lun",
    "mar",
    "nev",
    "ost",
    "pell",
    "ras",
    "sund",
    "tor",
    "ul",
    "vin",
    "wick",
    "yar",
]
_TRADES = [
    "baker",
    "brewer",
    "carter",
    "cooper",
    "dyer",
    "farrier",
    "fletcher",
    "mason",
    "miller",
    "saddler",
    "tanner",
    "weaver",
]
_NUMBERS = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "eleven", "twelve"]
_QUALITIES = [
    "black",
    "blue",
    "broken",
    "copper",
    "green",
    "old",
    "painted",
    "silver",
    "small",
    "striped",
    "wooden",
    "yellow",
]
_THINGS = [
    "barrels",
    "bells",
    "bottles",
    "chairs",
    "clocks",
    "drums",
    "keys",
    "ladders",
    "lamps",
    "maps",
    "nets",
    "rings",
]
_PLACES = [
    "barn",
    "bridge",
    "cellar",
    "chapel",
    "garden",
    "harbour",
    "kitchen",
    "mill",
    "orchard",
    "stable",
    "tower",
    "well",
]


@dataclass(frozen=True, slots=True)
class CopyTask:
    """A question, passages, and the characters ``[start, end)`` of one of them that answer it."""

    question: str
    passages: tuple[Passage, ...]
    needle: int
    """The passage that holds the answer."""
    start: int
    end: int


def copy_tasks(count: int, *, seed: int = 0) -> list[CopyTask]:
    """``count`` made tasks."""
    generator = random.Random(seed)
    return [_task(generator) for _ in range(count)]


def copying_heads(
    decoder: Decoder,
    windows: WindowBuilder,
    tasks: Sequence[CopyTask],
    *,
    count: int = 8,
    cancel: Cancellation | None = None,
    progress: Progress = silent,
) -> list[ScoredHead]:
    """The ``count`` heads that most often look up the answer's next token. Blocks.

    Raises:
        ReadingError: a task does not fit the model's context.
        Cancelled: ``cancel`` was set meanwhile.
    """
    heads = all_heads(decoder)
    total = torch.zeros(len(heads))
    for number, task in enumerate(tasks):
        total += _copied_share(decoder, windows, heads, task, cancel)
        progress("choosing heads", number + 1, len(tasks), "questions")
    return best_heads(heads, total / len(tasks), count)


def describe_tasks(tasks: Sequence[CopyTask]) -> CalibrationData:
    """What a head table says of ``tasks``."""
    texts = [text for task in tasks for text in (task.question, *(p.text for p in task.passages))]
    return CalibrationData(
        name="made sentences of who keeps what where",
        sha256=hashlib.sha256("\n".join(texts).encode()).hexdigest(),
        questions=len(tasks),
        passages=sum(len(task.passages) for task in tasks),
    )


def _copied_share(
    decoder: Decoder,
    windows: WindowBuilder,
    heads: Sequence[Head],
    task: CopyTask,
    cancel: Cancellation | None,
) -> Tensor:
    """``(heads,)``: of the answer's tokens, the share that each head looked up."""
    window = windows.build(task.passages)
    placed = window.passages[task.needle]
    answer = [
        placed.start + place
        for place, (start, end) in enumerate(windows.offsets(placed.passage))
        if start < task.end and end > task.start
    ]
    ids = [*window.ids, *windows.ask(task.question).ids, *(window.ids[column] for column in answer)]
    first = len(ids) - len(answer)
    rows = range(first - 1, len(ids) - 1)
    copied = torch.zeros(len(heads))
    found = row_attention(decoder, ids, rows, heads, cancel=cancel)
    for column, attention in zip(answer, found, strict=True):
        copied += strongest_column(attention) == column
    return copied / len(answer)


def _task(generator: random.Random) -> CopyTask:
    owners = _owners(generator, _PASSAGES * _SENTENCES)
    answers = [_keeping(generator) for _ in owners]
    sentences = [f"{o} keeps {a}." for o, a in zip(owners, answers, strict=True)]
    passages = []
    for first in range(0, len(sentences), _SENTENCES):
        page = made_page("", " ".join(sentences[first : first + _SENTENCES]))
        passages.append(Passage(page, 0, len(page.text)))
    asked = generator.randrange(len(owners))
    needle = asked // _SENTENCES
    start = passages[needle].text.index(sentences[asked]) + len(f"{owners[asked]} keeps")
    return CopyTask(
        question=f"What does {owners[asked]} keep, and where?",
        passages=tuple(passages),
        needle=needle,
        start=start,
        end=start + len(f" {answers[asked]}"),
    )


def _owners(generator: random.Random, count: int) -> list[str]:
    """Different people of different towns."""
    names: set[str] = set()
    while len(names) < 2 * count:
        names.add("".join(generator.choices(_SYLLABLES, k=2)).capitalize())
    people = sorted(names)
    generator.shuffle(people)
    return [
        f"{people[2 * n]}, the {generator.choice(_TRADES)} of {people[2 * n + 1]},"
        for n in range(count)
    ]


def _keeping(generator: random.Random) -> str:
    number, quality, thing, place = map(generator.choice, (_NUMBERS, _QUALITIES, _THINGS, _PLACES))
    return f"{number} {quality} {thing} behind the {place}"
