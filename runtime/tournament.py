"""One question over more passages than a window holds: rounds that end in one deciding window.

Windows apart propose where the budget allows it (coarse); a first window is read, and what its
leaders lead on to joins it in the deciding one (fine). Ranks of attention and of the first stage
are fused by reciprocal ranks (Cormack et al., SIGIR 2009): the prior is not thrown away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from torch import Tensor

from ..cancellation import Cancellation
from ..progress import Progress
from .links import named_by
from .passages import Passage
from .reader import PassageRanker, first_stage_scores
from .window_attention import WindowAttention

_T = TypeVar("_T")

WINDOW_TOKENS = 6144
"""Of the deciding window at most: attention's own cost is still small."""
SCREEN_TOKENS = 1024
"""Of the windows that are read apart; they do not depend on the question."""

_FIRST_SHARE = 0.4
"""Of the deciding window: what is read before it."""
_LEADERS = 3
"""Passages that lead on to others."""
_LED_TO = 10
"""Passages that each of them leads on to."""

_OFFSET = 3
"""Of the fusion: small, because a window holds few passages."""
_PRIOR_WEIGHT = 0.5
_NAMED_WEIGHT = 0.2


@dataclass(frozen=True, slots=True)
class Found:
    """A passage with its fused score, and what each of its columns attracted."""

    passage: Passage
    score: float
    columns: Tensor


class Tournament:
    """The rounds of one question; ``prior`` is the first stage's score of each passage."""

    def __init__(
        self,
        attention: WindowAttention,
        ranker: PassageRanker,
        question: str,
        passages: Sequence[Passage],
        prior: Sequence[float],
    ) -> None:
        self.read_tokens = 0
        self._attention = attention
        self._ranker = ranker
        self._question = question
        self._passages = passages
        self._order = _best_first(prior)
        self._sizes = [attention.windows.size(passage) for passage in passages]

    def run(self, limit: int | None, cancel: Cancellation, progress: Progress) -> list[Found]:
        """Passages that were read in the last rounds, best first. Blocks.

        ``limit`` is the number of tokens that may be read, about; None: all there are.

        Raises:
            ReadingError: the window does not fit the model's context.
            Cancelled: ``cancel`` was set meanwhile.
        """
        room = self._attention.context_length - self._attention.windows.overhead(self._question)
        deciding = max(min(WINDOW_TOKENS, room), 1)
        if sum(self._sizes) <= min(deciding, limit or deciding):
            return self._read_window(self._order, self._order, cancel)
        if limit is not None:
            deciding = max(min(deciding, int(limit / (1 + _FIRST_SHARE))), 1)
        first_tokens = int(deciding * _FIRST_SHARE)
        spare = None if limit is None else limit - first_tokens - deciding
        if spare is None or spare >= SCREEN_TOKENS:
            self._screen(spare, cancel, progress)
        first = self._read_window(self._fitting(self._order, first_tokens), self._order, cancel)
        progress("reading", 1, 2, "windows")
        order = self._second_order(first, deciding, cancel, progress)
        second = self._read_window(self._fitting(order, deciding), order, cancel)
        progress("reading", 2, 2, "windows")
        decided = {found.passage for found in second}
        return second + [found for found in first if found.passage not in decided]

    def _screen(self, spare: int | None, cancel: Cancellation, progress: Progress) -> None:
        """Read windows apart, those with the most promising passages first, and let them propose."""
        windows = self._attention.windows
        rank = {self._passages[place]: rank for rank, place in enumerate(self._order)}
        runs: list[list[Passage]] = []
        for _, of_page in groupby(self._passages, key=lambda passage: passage.page.page_id):
            runs += windows.split(list(of_page), SCREEN_TOKENS)
        runs.sort(key=lambda run: min(rank[passage] for passage in run))
        chosen = [windows.build(run) for run in runs]
        if spare is not None:
            chosen = list(_within(chosen, [len(window.ids) for window in chosen], spare))
        asked = self._attention.ask(
            chosen, [self._question], keep=True, cancel=cancel, progress=progress
        )
        self.read_tokens += asked.read_tokens
        scores: dict[Passage, Tensor] = {}
        for window, [columns] in zip(chosen, asked.columns, strict=True):
            scores.update(zip(window.members, window.titled_parts(columns), strict=True))
        attention = [
            self._attention.method.passage_score(scores[passage])
            if passage in scores
            else float("-inf")
            for passage in self._passages
        ]
        by_prior = _ranks(self._order)
        by_attention = _ranks(_best_first(attention))
        self._order = _best_first(
            [
                1 / (_OFFSET + a) + 1 / (_OFFSET + p)
                for a, p in zip(by_attention, by_prior, strict=True)
            ]
        )

    def _second_order(
        self, first: Sequence[Found], tokens: int, cancel: Cancellation, progress: Progress
    ) -> list[int]:
        """Places for the deciding window: the first window's best, what its leaders lead on to,
        then the rest as before."""
        place_of = {passage: place for place, passage in enumerate(self._passages)}
        survivors = [place_of[found.passage] for found in first]
        survivors = self._fitting(survivors, tokens // 2)
        led_to = self._led_to([found.passage for found in first[:_LEADERS]], cancel, progress)
        return list(dict.fromkeys([*survivors, *led_to, *self._order]))

    def _led_to(
        self, leaders: Sequence[Passage], cancel: Cancellation, progress: Progress
    ) -> list[int]:
        """Places of passages that are like a leader, or that it names, most promising first."""
        scores: dict[int, float] = {}
        for leader in leaders:
            likeness = first_stage_scores(
                self._ranker, leader.titled_text, self._passages, cancel, progress
            )
            for rank, place in enumerate(_best_first(likeness)[: _LED_TO + 1]):
                scores[place] = max(scores.get(place, 0.0), 1 / (10 + rank))
        for place, named in enumerate(named_by(self._passages, leaders)):
            if named:
                scores[place] = scores.get(place, 0.0) + 0.15
        return sorted(scores, key=lambda place: -scores[place])

    def _fitting(self, order: Iterable[int], tokens: int) -> list[int]:
        places = list(order)
        return list(_within(places, [self._sizes[place] for place in places], tokens))

    def _read_window(
        self, places: Sequence[int], order: Sequence[int], cancel: Cancellation
    ) -> list[Found]:
        """The passages at ``places`` in one window, best first; the most promising in ``order``
        stand next to the question."""
        promise = {place: -rank for rank, place in enumerate(order)}
        ordered = self._reading_order(places, promise)
        window = self._attention.windows.build([self._passages[place] for place in ordered])
        asked = self._attention.ask([window], [self._question], cancel=cancel)
        self.read_tokens += asked.read_tokens
        columns = asked.columns[0][0]
        parts = window.parts(columns)
        titled = window.titled_parts(columns)
        by_attention = _ranks(
            _best_first([self._attention.method.passage_score(part) for part in titled])
        )
        by_prior = _ranks(self._order)
        scores = [
            1 / (_OFFSET + rank) + _PRIOR_WEIGHT / (_OFFSET + by_prior[place])
            for rank, place in zip(by_attention, ordered, strict=True)
        ]
        leaders = [window.members[number] for number in _best_first(scores)[:_LEADERS]]
        named = named_by(window.members, leaders)
        found = [
            Found(passage, score + _NAMED_WEIGHT * bonus, part)
            for passage, score, bonus, part in zip(
                window.members, scores, named, parts, strict=True
            )
        ]
        return sorted(found, key=lambda item: -item.score)

    def _reading_order(self, places: Sequence[int], promise: dict[int, int]) -> list[int]:
        """Pages from the least to the most promising; the passages of a page as in its text."""
        page_promise: dict[str, int] = {}
        for place in places:
            page_id = self._passages[place].page.page_id
            page_promise[page_id] = max(page_promise.get(page_id, promise[place]), promise[place])
        return sorted(
            places,
            key=lambda place: (
                page_promise[self._passages[place].page.page_id],
                self._passages[place].page.page_id,
                self._passages[place].start,
            ),
        )


def _within(items: Sequence[_T], sizes: Sequence[int], total: int) -> Iterable[_T]:
    """The first items whose sizes sum to at most ``total``; the first one always."""
    for number, (item, size) in enumerate(zip(items, sizes, strict=True)):
        total -= size
        if total < 0 and number:
            return
        yield item


def _best_first(scores: Sequence[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda place: -scores[place])


def _ranks(order: Sequence[int]) -> list[int]:
    """For each place its rank in ``order``, from 0."""
    ranks = [0] * len(order)
    for rank, place in enumerate(order):
        ranks[place] = rank
    return ranks
