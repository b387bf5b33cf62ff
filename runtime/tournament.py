"""One question over more passages than a window holds: rounds that end in one deciding window.

Windows apart propose where the budget allows it (coarse); the most promising passages, and what
they lead on to, meet in the deciding window (fine), and the best of it are asked how much each of
them alone makes the model expect the question. Ranks of attention, of likelihood and of the first
stage are fused by reciprocal ranks (Cormack et al., SIGIR 2009): the prior is not thrown away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TypeVar

from torch import Tensor

from ..cancellation import Cancellation
from ..progress import Progress
from .likelihood import LikelihoodRanker
from .links import named_by
from .passages import Passage
from .reader import PassageRanker, first_stage_scores
from .window_attention import WindowAttention

_T = TypeVar("_T")

WINDOW_TOKENS = 6144
"""Of the deciding window at most: attention's own cost is still small."""
SCREEN_TOKENS = 1024
"""Of the windows that are read apart; they do not depend on the question."""

_PROMISING_SHARE = 0.5
_NAMED_SHARE = 0.25
"""Of the deciding window: for the most promising passages, and for those that they name."""
_NAMING = 10
"""Passages whose names of other pages are followed into the window."""
_LEADING = 5
"""Passages that lead on to others like them, and how many each."""
_LED_TO = 30
_LEADERS = 3
"""Passages of the window that lift those that they name."""

_OFFSET = 3
"""Of the fusion: small, because a window holds few passages."""
_PRIOR_WEIGHT = 0.5
_NAMED_WEIGHT = 0.2
_LIKELY = 12
"""Passages whose likelihood is asked for: the best so far. More of them change nothing (MuSiQue)."""


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
        *,
        likelihood: LikelihoodRanker | None = None,
    ) -> None:
        self.read_tokens = 0
        self._attention = attention
        self._likelihood = likelihood
        self._ranker = ranker
        self._question = question
        self._passages = passages
        self._order = _best_first(prior)
        self._sizes = [attention.windows.size(passage) for passage in passages]

    def run(self, limit: int | None, cancel: Cancellation, progress: Progress) -> list[Found]:
        """Passages that were read in the last rounds, best first. Blocks.

        ``limit`` is the number of tokens that attention may go over, about; None: all there are.

        Raises:
            ReadingError: the window does not fit the model's context.
            Cancelled: ``cancel`` was set meanwhile.
        """
        room = self._attention.context_length - self._attention.windows.overhead(self._question)
        deciding = max(min(WINDOW_TOKENS, room, limit or WINDOW_TOKENS), 1)
        if sum(self._sizes) <= deciding:
            return self._read_window(self._order, cancel)
        spare = None if limit is None else limit - deciding
        if spare is None or spare >= SCREEN_TOKENS:
            self._screen(spare, cancel, progress)
        order = self._widened_order(deciding, cancel, progress)
        found = self._read_window(self._fitting(order, deciding), cancel)
        progress("reading", 1, 1, "windows")
        return found

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

    def _widened_order(self, tokens: int, cancel: Cancellation, progress: Progress) -> list[int]:
        """Places for the deciding window: the most promising, what they name and what is like
        them (the next hop of a question shares few words with it), then the rest as before."""
        promising = self._fitting(self._order, int(tokens * _PROMISING_SHARE))
        named = self._fitting(self._named(), int(tokens * _NAMED_SHARE))
        led_to = self._led_to(cancel, progress)
        return list(dict.fromkeys([*promising, *named, *led_to, *self._order]))

    def _named(self) -> list[int]:
        """Places of passages that the most promising ones name, those of the best first."""
        naming = [self._passages[place] for place in self._order[:_NAMING]]
        names = named_by(self._passages, naming)
        return [place for place in _best_first(names) if names[place]]

    def _led_to(self, cancel: Cancellation, progress: Progress) -> list[int]:
        """Places of passages that are like a promising one, the likest first."""
        nearest: dict[int, int] = {}
        for leader in self._order[:_LEADING]:
            text = self._passages[leader].titled_text
            likeness = first_stage_scores(self._ranker, text, self._passages, cancel, progress)
            for rank, place in enumerate(_best_first(likeness)[:_LED_TO]):
                nearest[place] = min(nearest.get(place, rank), rank)
        return sorted(nearest, key=lambda place: nearest[place])

    def _fitting(self, places: Sequence[int], tokens: int) -> list[int]:
        return list(_within(places, [self._sizes[place] for place in places], tokens))

    def _read_window(self, places: Sequence[int], cancel: Cancellation) -> list[Found]:
        """The passages at ``places``, given most promising first, in one window; best first."""
        ordered = self._reading_order(places)
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
        scores = self._with_likelihood(window.members, scores, cancel)
        scores = _with_named(window.members, scores)
        found = map(Found, window.members, scores, parts)
        return sorted(found, key=lambda item: -item.score)

    def _with_likelihood(
        self, members: Sequence[Passage], scores: Sequence[float], cancel: Cancellation
    ) -> list[float]:
        """``scores``, those of the best lifted by how much they make the model expect the question."""
        lifted = list(scores)
        if self._likelihood is None:
            return lifted
        best = _best_first(_with_named(members, scores))[:_LIKELY]
        texts = [members[place].titled_text for place in best]
        asked = self._likelihood.ask(self._question, texts, cancel=cancel)
        self.read_tokens += asked.read_tokens
        for place, rank in zip(best, _ranks(_best_first(asked.scores)), strict=True):
            lifted[place] += 1 / (_OFFSET + rank)
        return lifted

    def _reading_order(self, places: Sequence[int]) -> list[int]:
        """Pages from the least to the most promising, which stand next to the question; the
        passages of a page as in its text."""
        promise = {place: -rank for rank, place in enumerate(places)}
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


def _with_named(passages: Sequence[Passage], scores: Sequence[float]) -> list[float]:
    """``scores``, those of passages lifted that a leader names; twice, since a leader may be one
    that was lifted."""
    lifted = list(scores)
    for _ in range(2):
        leaders = [passages[place] for place in _best_first(lifted)[:_LEADERS]]
        named = named_by(passages, leaders)
        lifted = [score + _NAMED_WEIGHT * lift for score, lift in zip(scores, named, strict=True)]
    return lifted


def _best_first(scores: Sequence[float]) -> list[int]:
    return sorted(range(len(scores)), key=lambda place: -scores[place])


def _ranks(order: Sequence[int]) -> list[int]:
    """For each place its rank in ``order``, from 0."""
    ranks = [0] * len(order)
    for rank, place in enumerate(order):
        ranks[place] = rank
    return ranks
