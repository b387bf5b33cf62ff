"""Questions whose answer takes several paragraphs: are those ranked first?

MuSiQue (Trivedi et al., TACL 2022) and HotpotQA (Yang et al., EMNLP 2018) as HippoRAG samples
them: per set a file of questions with their paragraphs and a file of all paragraphs. Heads are
chosen on the first questions of each set; the rest is held out.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, TypeAdapter

from ..cancellation import Cancellation
from ..errors import ConfigError
from ..progress import Progress
from ..runtime.passages import Passage
from .data_files import DataRecord, damaged, read_json
from .paragraphs import paragraph
from .rankers import best_first
from .rankings import Ranking
from .reading_method import ReadingMethod
from .scores import Score
from .trials import Evaluation, Trial, choose_sets

CALIBRATION_QUESTIONS = 50
"""The first so many of each set, on which heads are chosen."""

Part = Literal["calibration", "held-out", "all"]

_DEPTHS = (2, 5, 10)


class _MusiqueParagraph(DataRecord):
    title: str
    paragraph_text: str
    is_supporting: bool


class _MusiqueQuestion(DataRecord):
    id: str = ""
    question: str
    answer: str = ""
    answer_aliases: tuple[str, ...] = ()
    paragraphs: tuple[_MusiqueParagraph, ...] = Field(min_length=1)


class _MusiquePooled(DataRecord):
    title: str
    text: str


class _HotpotQuestion(DataRecord):
    id: str = Field(default="", alias="_id")
    question: str
    answer: str = ""
    context: tuple[tuple[str, tuple[str, ...]], ...] = Field(min_length=1)
    """Titles with their sentences."""
    supporting_facts: tuple[tuple[str, int], ...]
    """Titles with the numbers of sentences."""


@dataclass(frozen=True, slots=True)
class MultihopQuestion:
    """A question, its paragraphs in the order of the file, and the places of the gold ones."""

    question: str
    passages: tuple[Passage, ...]
    gold: tuple[int, ...]
    answers: tuple[str, ...] = ()
    """Right answers, any of which will do."""
    id: str = ""
    """As the data names it, or its number in the file."""


@dataclass(frozen=True, slots=True)
class WindowTrial:
    """The paragraphs of one question, read together."""

    key: str
    set: str
    item: MultihopQuestion

    async def measure(
        self, method: ReadingMethod, *, cancel: Cancellation, progress: Progress
    ) -> list[Score]:
        item, started = self.item, time.monotonic()
        scores = await method.rank(item.question, item.passages, cancel=cancel, progress=progress)
        seconds = time.monotonic() - started
        gold = set(item.gold)
        share = recall(best_first(scores), gold, at=len(gold))
        names = [f"{item.id}-{place}" for place in range(len(item.passages))]
        relevant = {names[place]: 1 for place in item.gold}
        ranking = Ranking.of(item.id, names, scores, relevant)
        return [_score(method, self.set, item.question, {"recall@g": share}, seconds, ranking)]


@dataclass(frozen=True, slots=True)
class PoolTrial:
    """The paragraphs of all questions, ranked for one."""

    key: str
    set: str
    item: MultihopQuestion
    pool: tuple[Passage, ...]
    gold: frozenset[int]

    async def measure(
        self, method: ReadingMethod, *, cancel: Cancellation, progress: Progress
    ) -> list[Score]:
        item, started = self.item, time.monotonic()
        scores = await method.rank_pool(item.question, self.pool, cancel=cancel, progress=progress)
        seconds = time.monotonic() - started
        order = best_first(scores)
        shares = {f"recall@{at}": recall(order, self.gold, at=at) for at in _DEPTHS}
        names = [name_in_pool(place) for place in range(len(self.pool))]
        relevant = {names[place]: 1 for place in sorted(self.gold)}
        ranking = Ranking.of(item.id, names, scores, relevant)
        return [_score(method, self.set, item.question, shares, seconds, ranking)]


def name_in_pool(place: int) -> str:
    """What the paragraph at ``place`` in the pool is called."""
    return f"{place:06d}"


def recall(ranking: Sequence[int], gold: set[int] | frozenset[int], *, at: int) -> float:
    """The share of ``gold`` among the first ``at`` of ``ranking``."""
    return len(gold.intersection(ranking[:at])) / len(gold)


def read_musique(folder: Path) -> list[MultihopQuestion]:
    """The questions of MuSiQue.

    Raises:
        ConfigError: their file is missing or damaged.
    """
    path = folder / "musique_train.json"
    return [
        _question(
            path,
            raw.id or str(number),
            raw.question,
            [(p.title, p.paragraph_text, p.is_supporting) for p in raw.paragraphs],
            (raw.answer, *raw.answer_aliases),
        )
        for number, raw in enumerate(read_json(path, TypeAdapter(list[_MusiqueQuestion])))
    ]


def read_hotpotqa(folder: Path) -> list[MultihopQuestion]:
    """The questions of HotpotQA.

    Raises:
        ConfigError: their file is missing or damaged.
    """
    path = folder / "hotpotqa_train.json"
    questions = []
    for number, raw in enumerate(read_json(path, TypeAdapter(list[_HotpotQuestion]))):
        gold = {title for title, _ in raw.supporting_facts}
        marked = [(title, "".join(lines), title in gold) for title, lines in raw.context]
        name = raw.id or str(number)
        questions.append(_question(path, name, raw.question, marked, (raw.answer,)))
    return questions


def read_questions(
    corpus: str, folder: Path, *, part: Part, limit: int | None, seed: int | None
) -> list[MultihopQuestion]:
    """The questions of ``corpus`` ("musique", "hotpotqa") that belong to ``part``.

    Raises:
        ConfigError: their file is missing or damaged, or the part is empty.
    """
    return _part(_READ_QUESTIONS[corpus](folder), part, corpus, limit, seed)


def read_pool(corpus: str, folder: Path) -> tuple[Passage, ...]:
    """The paragraphs of all questions of ``corpus``.

    Raises:
        ConfigError: their file is missing or damaged.
    """
    return _READ_POOL[corpus](folder)


def load(
    folder: Path,
    *,
    sets: Sequence[str] = (),
    part: Part = "held-out",
    limit: int | None = None,
    seed: int | None = None,
) -> Evaluation:
    """The evaluation over ``folder``.

    ``sets`` are names of :data:`SETS`; none means all. ``limit`` takes the first questions of the
    part, ``seed`` shuffles them before.

    Raises:
        ConfigError: a file is missing or damaged, a set unknown, or a part empty.
    """
    chosen = choose_sets(sets, SETS)
    trials: list[Trial] = []
    for name in chosen:
        corpus, way = name.split("-")
        questions = read_questions(corpus, folder, part=part, limit=limit, seed=seed)
        if way == "window":
            trials += [WindowTrial(f"{name} {n}", name, item) for n, item in enumerate(questions)]
        else:
            pool = read_pool(corpus, folder)
            places = {passage.page.page_id: place for place, passage in enumerate(pool)}
            for n, item in enumerate(questions):
                gold = _gold_in_pool(folder, corpus, item, places)
                trials.append(PoolTrial(f"{name} {n}", name, item, pool, gold))
    return Evaluation(
        name="multihop",
        folders=(folder,),
        settings={"sets": chosen, "part": part, "limit": limit, "seed": seed},
        trials=trials,
        questions=len(trials),
    )


def _question(
    path: Path,
    name: str,
    question: str,
    paragraphs: Sequence[tuple[str, str, bool]],
    answers: Sequence[str],
) -> MultihopQuestion:
    gold = tuple(place for place, (_, _, is_gold) in enumerate(paragraphs) if is_gold)
    if not gold:
        raise damaged(path, f"no paragraph of {question!r} is marked")
    passages = tuple(paragraph(title, text) for title, text, _ in paragraphs)
    return MultihopQuestion(question, passages, gold, tuple(filter(None, answers)), name)


def _part(
    questions: list[MultihopQuestion],
    part: Part,
    set_name: str,
    limit: int | None,
    seed: int | None,
) -> list[MultihopQuestion]:
    first = CALIBRATION_QUESTIONS if part == "held-out" else 0
    last = CALIBRATION_QUESTIONS if part == "calibration" else None
    kept = questions[first:last]
    if not kept:
        raise ConfigError(
            f"{set_name} has {len(questions)} questions, none of them is {part}",
            remedy="measure another part with --part",
        )
    if seed is not None:
        random.Random(seed).shuffle(kept)
    return kept[:limit]


def _musique_pool(folder: Path) -> tuple[Passage, ...]:
    pooled = read_json(folder / "musique_train_corpus.json", TypeAdapter(list[_MusiquePooled]))
    return tuple(paragraph(raw.title, raw.text) for raw in pooled)


def _hotpotqa_pool(folder: Path) -> tuple[Passage, ...]:
    pooled = read_json(
        folder / "hotpotqa_train_corpus.json", TypeAdapter(dict[str, tuple[str, ...]])
    )
    return tuple(paragraph(title, "".join(lines)) for title, lines in pooled.items())


def _gold_in_pool(
    folder: Path, corpus: str, item: MultihopQuestion, places: dict[str, int]
) -> frozenset[int]:
    gold = [item.passages[place].page for place in item.gold]
    for page in gold:
        if page.page_id not in places:
            path = folder / f"{corpus}_train_corpus.json"
            raise damaged(path, f"the paragraph {page.title!r} of a question is not in it")
    return frozenset(places[page.page_id] for page in gold)


def _score(
    method: ReadingMethod,
    set_name: str,
    question: str,
    shares: dict[str, float],
    seconds: float,
    ranking: Ranking,
) -> Score:
    return Score(
        method=method.name,
        model=method.model,
        sets=(set_name,),
        question=question,
        shares=shares,
        costs={"seconds": seconds},
        ranking=ranking,
    )


_READ_QUESTIONS: dict[str, Callable[[Path], list[MultihopQuestion]]] = {
    "musique": read_musique,
    "hotpotqa": read_hotpotqa,
}
_READ_POOL: dict[str, Callable[[Path], tuple[Passage, ...]]] = {
    "musique": _musique_pool,
    "hotpotqa": _hotpotqa_pool,
}
CORPORA = tuple(_READ_QUESTIONS)
SETS = tuple(f"{corpus}-{way}" for way in ("window", "pool") for corpus in CORPORA)
"""``musique-window`` reads a question's own paragraphs, ``musique-pool`` those of all."""
