"""Needles that were not made up, in long texts of Wikipedia pages.

``xquad``: a paragraph at a given depth and a question that it answers. Needles of different
articles share a haystack; none answers another's question.

``babi-1`` to ``babi-3``: the sentences of a story, in order, at random depths, and a question that
rests on as many of them (as in BABILong, arXiv 2406.10149). One story to a haystack: stories share
their people and, which renaming people would not help, the objects that are asked for.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Literal

from ..cancellation import Cancellation
from ..errors import ConfigError
from ..evidence import Evidence
from ..progress import Progress
from ..runtime.catalogue import resolve
from ..runtime.gguf_weights import convert
from ..runtime.reader import FIRST_STAGE_IDS, ReadingBudget
from ..runtime.tokenizer import TextTokenizer
from ..settings import Settings
from ..threads import in_thread
from .babi import StoryQuestion, read_stories
from .haystack import Haystack, Insertion, Place, TokenCounter, build_haystacks, hide
from .reading_method import ReadingMethod
from .scores import Score, reading_costs
from .trials import Evaluation, Trial, choose_sets
from .xquad import AskedParagraph, read_articles

SETS = ("xquad", "babi-1", "babi-2", "babi-3")
DEPTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
SIZES = (128_000, 512_000, 1_000_000)

_EVIDENCE = 8
_EVIDENCE_CHARS = 500

_TOGETHER = 3
"""Needles of the same depth in a haystack at most; with all depths, as many as XQuAD can tell
apart by article."""
_STEP = 0.01
"""Share of the haystack between needles of the same depth."""

_CHARS_PER_TOKEN = 3
"""Where there is no reader whose tokens could be counted: what these pages have with Qwen2.5."""


@dataclass(frozen=True, slots=True)
class Target:
    """Characters ``[start, end)`` of an insertion, which evidence should cover."""

    insertion: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class HiddenQuestion:
    """A question, what answers it, and the sets it counts in."""

    question: str
    targets: tuple[Target, ...]
    sets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NeedleTrial:
    """A haystack with needles in it, and all that is asked about it."""

    key: str
    haystack: Haystack
    insertions: tuple[Insertion, ...]
    how: Literal["paragraph", "sentence"]
    questions: tuple[HiddenQuestion, ...]
    budget: ReadingBudget

    async def measure(
        self, method: ReadingMethod, *, cancel: Cancellation, progress: Progress
    ) -> list[Score]:
        pages, places = hide(self.haystack.pages, self.insertions, how=self.how)
        readings = await method.read(
            [hidden.question for hidden in self.questions],
            pages,
            budget=self.budget,
            cancel=cancel,
            progress=progress,
        )
        scores = []
        for hidden, reading in zip(self.questions, readings, strict=True):
            found = [_is_covered(target, places, reading.evidence) for target in hidden.targets]
            shares = {"evidence recall": fmean(found)}
            if len(found) > 1:
                shares["all evidence"] = float(all(found))
            scores.append(
                Score(
                    method=method.name,
                    model=method.model,
                    sets=hidden.sets,
                    question=hidden.question,
                    shares=shares,
                    costs=reading_costs(reading),
                )
            )
        return scores


async def load(
    folder: Path,
    *,
    settings: Settings,
    sets: Sequence[str] = (),
    sizes: Sequence[int] = SIZES,
    needles: int = 3,
    seed: int | None = None,
    cancel: Cancellation,
    progress: Progress,
) -> Evaluation:
    """The evaluation over the folders ``wikitables``, ``xquad`` and ``babi`` in ``folder``.

    ``sizes`` of haystacks are in tokens of the reader that ``settings`` name. There are ``needles``
    questions for each size and depth of XQuAD, and for each size and task of bAbI. ``seed``
    shuffles pages, paragraphs and stories.

    Raises:
        ConfigError: data is missing or damaged, or there is less of it than was asked for.
        ExtractionError: a page holds no text.
        ModelError: the reader's files are not here or cannot be used.
        Cancelled: ``cancel`` was set meanwhile.
    """
    chosen = choose_sets(sets, SETS)
    budget = ReadingBudget(settings.reading_tokens, _EVIDENCE, _EVIDENCE_CHARS)
    articles = read_articles(folder / "xquad") if "xquad" in chosen else []
    tasks = [int(name.removeprefix("babi-")) for name in chosen if name != "xquad"]
    stories = {task: read_stories(folder / "babi", task) for task in tasks}
    if seed is not None:
        for article in articles:
            random.Random(seed).shuffle(article)
        for told in stories.values():
            random.Random(seed).shuffle(told)
    _check_enough(articles, stories, needles)
    count_tokens, tokenizer = await _token_counter(settings, cancel, progress)

    def build(stop: Cancellation) -> dict[int, Haystack]:
        return build_haystacks(
            folder / "wikitables", sizes, count_tokens, seed=seed, cancel=stop, progress=progress
        )

    haystacks = await in_thread(build, cancel=cancel)
    trials: list[Trial] = []
    for size, haystack in haystacks.items():
        if articles:
            trials += _paragraph_trials(size, haystack, articles, needles, budget)
        for task, told in stories.items():
            trials += _story_trials(size, haystack, task, told, needles, budget, seed)
    return Evaluation(
        name="needle",
        folders=tuple(folder / name for name in _folders(chosen)),
        settings={
            "sets": chosen,
            "seed": seed,
            "needles": needles,
            "depths": DEPTHS,
            "evidence": _EVIDENCE,
            "evidence_chars": _EVIDENCE_CHARS,
            "tokenizer": tokenizer,
            "haystacks": {
                str(size): {
                    "tokens": haystack.tokens,
                    "pages": len(haystack.pages),
                    "characters": sum(len(page.text) for page in haystack.pages),
                }
                for size, haystack in haystacks.items()
            },
        },
        trials=trials,
        questions=sum(len(trial.questions) for trial in trials if isinstance(trial, NeedleTrial)),
    )


def _check_enough(
    articles: Sequence[Sequence[AskedParagraph]],
    stories: Mapping[int, Sequence[Sequence[StoryQuestion]]],
    needles: int,
) -> None:
    """Refuse more needles than the data has."""
    remedy = "give fewer --needles"
    if articles:
        _, per_haystack = _sharing(len(articles), needles)
        # A haystack has one question of an article.
        most = min(map(len, articles)) * per_haystack // len(DEPTHS)
        if needles > most:
            raise ConfigError(
                f"XQuAD has questions for {most} needles at a depth, {needles} were asked for",
                remedy=remedy,
            )
    for task, told in stories.items():
        if needles > len(told):
            raise ConfigError(
                f"bAbI task {task} has {len(told)} stories, {needles} were asked for",
                remedy=remedy,
            )


def _sharing(articles: int, needles: int) -> tuple[int, int]:
    """How many needles of the same depth, and of all depths, share a haystack."""
    together = max(1, min(_TOGETHER, articles // len(DEPTHS), needles))
    return together, min(together * len(DEPTHS), articles)


def _paragraph_trials(
    size: int,
    haystack: Haystack,
    articles: Sequence[Sequence[AskedParagraph]],
    needles: int,
    budget: ReadingBudget,
) -> Iterator[NeedleTrial]:
    """Haystacks with as many needles as can be told apart, until every depth has its number."""
    together, per_haystack = _sharing(len(articles), needles)
    cells = [(depth, number) for number in range(needles) for depth in DEPTHS]
    for turn, first in enumerate(range(0, len(cells), per_haystack)):
        insertions: list[Insertion] = []
        questions: list[HiddenQuestion] = []
        for column, (depth, number) in enumerate(cells[first : first + per_haystack]):
            # Turned on, so that no article keeps to one depth.
            article = articles[(column + turn) % len(articles)]
            item = article[turn]
            target = Target(len(insertions), item.start, item.end)
            within = _STEP * (number % together)
            spread = _STEP * (together - 1)
            insertions.append(Insertion(depth * (1 - spread) + within, item.text))
            sets = (f"xquad {size:,} at {depth:g}", f"xquad {size:,}", "xquad")
            questions.append(HiddenQuestion(item.question, (target,), sets))
        yield NeedleTrial(
            key=f"xquad {size} {turn}",
            haystack=haystack,
            insertions=tuple(insertions),
            how="paragraph",
            questions=tuple(questions),
            budget=budget,
        )


def _story_trials(
    size: int,
    haystack: Haystack,
    task: int,
    stories: Sequence[Sequence[StoryQuestion]],
    needles: int,
    budget: ReadingBudget,
    seed: int | None,
) -> Iterator[NeedleTrial]:
    """A haystack for each of the first stories, with one of its questions."""
    for number, story in enumerate(stories[:needles]):
        # The same for every size, so that sizes can be compared.
        rng = random.Random(f"{seed} {task} {number}")
        item = rng.choice(story)
        depths = sorted(rng.random() for _ in item.facts)
        targets = tuple(Target(place, 0, len(item.facts[place])) for place in item.supporting)
        sets = (f"babi-{task} {size:,}", f"babi-{task}")
        yield NeedleTrial(
            key=f"babi-{task} {size} {number}",
            haystack=haystack,
            insertions=tuple(map(Insertion, depths, item.facts)),
            how="sentence",
            questions=(HiddenQuestion(item.question, targets, sets),),
            budget=budget,
        )


def _is_covered(target: Target, places: Sequence[Place], evidence: Sequence[Evidence]) -> bool:
    """Whether every character of the target lies in a span of the evidence."""
    place = places[target.insertion]
    position, end = place.start + target.start, place.start + target.end
    spans = sorted(
        (item.span.start, item.span.end) for item in evidence if item.span.page_id == place.page_id
    )
    for span_start, span_end in spans:
        if span_start <= position:
            position = max(position, span_end)
    return position >= end


async def _token_counter(
    settings: Settings, cancel: Cancellation, progress: Progress
) -> tuple[TokenCounter, str]:
    """How tokens are counted, and what to call that."""
    if settings.reader in FIRST_STAGE_IDS:
        return lambda text: -(-len(text) // _CHARS_PER_TOKEN), f"{_CHARS_PER_TOKEN} characters"
    files = resolve(settings.reader)
    convert_files = partial(convert, files.weights, sha256=files.sha256, progress=progress)
    model = await in_thread(lambda stop: convert_files(cancel=stop), cancel=cancel)
    tokenizer = TextTokenizer(model.tokenizer)
    return lambda text: len(tokenizer.encode(text).ids), files.id


def _folders(sets: Sequence[str]) -> list[str]:
    named = ("wikitables", "xquad", "babi")
    return [name for name in named if name == "wikitables" or any(s.startswith(name) for s in sets)]
