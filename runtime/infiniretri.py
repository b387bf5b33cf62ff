"""InfiniRetri: text of any length read window by window, the best sentences carried along.

Infinite Retrieval (Ye et al., arXiv 2502.12962), as its package ``infini-retri`` 0.0.3 does it: in
each window the question's tokens say, by the attention of all heads of the last layer, which
phrases matter; the sentences that hold one of the best tokens go before the next window's text,
and those that the last window leaves are the result.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from torch import Tensor

from ..cancellation import Cancellation
from ..errors import ReadingError
from ..progress import Progress, silent
from .infiniretri_published import PublishedWindows, published_sentences
from .infiniretri_windows import Piece, SentenceWindows, Windows
from .last_layer import LastLayer
from .tokenizer import TextTokenizer

WINDOW_TOKENS = 1024
"""New text in a window."""
PHRASE_TOKENS = 8
"""A token's score is the sum over so many tokens around it."""
TOP_TOKENS = 300
"""A sentence is kept for one token among so many best ones."""

_INSTRUCTION = "Read the book and answer the question. Be very concise in your answer.\n\n"
_ASKING = "Question:\n\n"
_ANSWERING = "Answer:"
_TURN_START, _TURN_END = "<|im_start|>", "<|im_end|>"
_FEWEST_TOKENS = 64
_GAP = "\n\n"


@dataclass(frozen=True, slots=True)
class KeptSentence:
    """Characters ``[start, end)`` of the text, and the sum of its tokens' scores."""

    start: int
    end: int
    score: float


@dataclass(frozen=True, slots=True)
class Retrieval:
    """What the last window kept."""

    sentences: tuple[KeptSentence, ...]
    """Best first; apart from each other. Their scores are of one window."""
    kept: tuple[str, ...]
    """The pieces that hold them, in the order of the text: so the next window would have begun."""
    read_tokens: int
    """Tokens of all windows, prompts and carried sentences included."""
    windows: int


@dataclass(frozen=True, slots=True)
class _Prompt:
    """Token ids around a window's text; the question and all that follows it ask."""

    before: list[int]
    between: list[int]
    question: list[int]

    @property
    def size(self) -> int:
        return len(self.before) + len(self.between) + len(self.question)


class InfiniRetri:
    """Reads with one model; safe from any thread.

    Args:
        as_published: cut text as the package does, faults included. By default it is cut into the
            sentences of :mod:`leadline.segmentation`, none is lost, and no more than
            ``window_tokens`` are carried along.

    Raises:
        ReadingError: a number is too small.
    """

    def __init__(
        self,
        decoder: LastLayer,
        tokenizer: TextTokenizer,
        *,
        window_tokens: int = WINDOW_TOKENS,
        phrase_tokens: int = PHRASE_TOKENS,
        top_tokens: int = TOP_TOKENS,
        as_published: bool = False,
    ) -> None:
        least = {"window_tokens": _FEWEST_TOKENS, "phrase_tokens": 1, "top_tokens": 1}
        given = {
            "window_tokens": window_tokens,
            "phrase_tokens": phrase_tokens,
            "top_tokens": top_tokens,
        }
        for name, value in given.items():
            if value < least[name]:
                raise ReadingError(f"{name} is {value}", remedy=f"give at least {least[name]}")
        self._decoder = decoder
        self._tokenizer = tokenizer
        self._window_tokens = window_tokens
        self._phrase_tokens = phrase_tokens
        self._top_tokens = top_tokens
        self._as_published = as_published

    def retrieve(
        self,
        question: str,
        text: str,
        *,
        cancel: Cancellation | None = None,
        progress: Progress = silent,
    ) -> Retrieval:
        """The sentences of ``text`` that bear on the question. Blocks.

        Raises:
            ReadingError: the question leaves no room for a window, or, as published, a window
                exceeds the model's context.
            Cancelled: ``cancel`` was set meanwhile.
        """
        cancel = cancel or Cancellation()
        prompt = self._prompt(question)
        windows, carried = self._windows(prompt, text)
        kept: list[tuple[Piece, float]] = []
        weights = None
        read_tokens = 0
        for number in range(len(windows)):
            pieces = windows.pieces(number, [piece for piece, _ in kept])
            scores, weights = self._scores(prompt, pieces, weights, cancel)
            kept = self._best(pieces, scores, carried)
            read_tokens += prompt.size + len(scores)
            progress("reading", number + 1, len(windows), "windows")
        sentences = [
            KeptSentence(start, end, score) for piece, score in kept for start, end in piece.spans
        ]
        sentences.sort(key=lambda sentence: -sentence.score)
        texts = tuple(piece.text for piece, _ in kept)
        return Retrieval(tuple(sentences), texts, read_tokens, len(windows))

    def rank(
        self,
        question: str,
        passages: Sequence[str],
        *,
        cancel: Cancellation | None = None,
        progress: Progress = silent,
    ) -> list[float]:
        """Each passage's sum over its tokens, all passages read in one window. Blocks.

        Raises:
            ReadingError: the passages do not fit the model's context.
            Cancelled: ``cancel`` was set meanwhile.
        """
        prompt = self._prompt(question)
        windows, _ = self._windows(prompt, _GAP.join(passages), one_window=True)
        totals = [0.0] * len(passages)
        if not len(windows):
            return totals
        if len(windows) > 1:
            raise ReadingError(
                f"{len(passages)} passages exceed the model's context of "
                f"{self._decoder.config.context_length:,} tokens",
                remedy="rank fewer at once",
            )
        pieces = windows.pieces(0, ())
        scores, _ = self._scores(prompt, pieces, None, cancel or Cancellation())
        starts = [0, *accumulate(len(passage) + len(_GAP) for passage in passages)]
        for piece, score in zip(pieces, _piece_sums(pieces, scores), strict=True):
            if piece.spans:
                totals[bisect.bisect_right(starts, piece.spans[0][0]) - 1] += score
        progress("reading", 1, 1, "windows")
        return totals

    def _windows(
        self, prompt: _Prompt, text: str, *, one_window: bool = False
    ) -> tuple[Windows, int | None]:
        """The windows of ``text``, and how many tokens may be carried from one to the next."""
        room = self._decoder.config.context_length - prompt.size
        if self._as_published:
            limit = max(room, 1) if one_window else self._window_tokens
            return PublishedWindows(text, self._tokenizer, limit=limit), None
        limit = room if one_window else min(self._window_tokens, room // 2)
        if limit < _FEWEST_TOKENS:
            raise ReadingError(
                "the question leaves no room for text in the model's context of "
                f"{self._decoder.config.context_length:,} tokens",
                remedy="ask a shorter question",
            )
        return SentenceWindows(text, self._tokenizer, limit=limit), limit

    def _scores(
        self, prompt: _Prompt, pieces: Sequence[Piece], weights: Tensor | None, cancel: Cancellation
    ) -> tuple[Tensor, Tensor]:
        """A score for each token of the pieces, and the weights of the asking rows.

        A row's weight is what it gives to the asking rows in the first window; it counts squared.
        """
        text = [token for piece in pieces for token in piece.ids]
        start = len(prompt.before)
        stop = start + len(text)
        asking = stop + len(prompt.between)
        ids = [*prompt.before, *text, *prompt.between, *prompt.question]
        attention = self._decoder.attend(ids, cancel=cancel)
        rows = (asking, len(ids))
        if weights is None:
            weights = attention.row_mass(rows, rows)
        summed = attention.column_sums(rows, (start, stop), weights.square())
        return phrase_sums(summed.double(), self._phrase_tokens), weights

    def _best(
        self, pieces: Sequence[Piece], scores: Tensor, carried: int | None
    ) -> list[tuple[Piece, float]]:
        """The pieces that hold one of the best tokens, in order, with their scores.

        Of at most ``carried`` tokens together: a piece that no longer fits is left out.
        """
        owners = [place for place, piece in enumerate(pieces) for _ in piece.ids]
        kept: set[int] = set()
        room = carried
        for token in scores.topk(min(self._top_tokens, len(owners))).indices.tolist():
            place = owners[token]
            size = len(pieces[place].ids)
            if place in kept or (room is not None and size > room):
                continue
            kept.add(place)
            room = None if room is None else room - size
        sums = _piece_sums(pieces, scores)
        return [(pieces[place], sums[place]) for place in sorted(kept)]

    def _prompt(self, question: str) -> _Prompt:
        """The package's prompt in its chat: an empty system turn, the question after the text.

        It is tokenised sentence by sentence, as all that a window holds.
        """
        first, *others = published_sentences(_INSTRUCTION)
        opening = self._ids(_INSTRUCTION[slice(*first)])
        rest = [token for a, b in others for token in self._ids(_INSTRUCTION[a:b])]
        asked = question.strip() + _GAP
        question_ids = [t for a, b in published_sentences(asked) for t in self._ids(asked[a:b])]
        answering = self._ids(_ANSWERING)
        start = self._tokenizer.control_id(_TURN_START)
        end = self._tokenizer.control_id(_TURN_END)
        if start is not None and end is not None:
            line = self._ids("\n")
            system = [start, *self._ids("system\n"), end, *line]
            opening = [*system, start, *self._ids(f"user\n{_INSTRUCTION[slice(*first)]}")]
            answering += [end, *line, start, *self._ids("assistant\n")]
        return _Prompt([*opening, *rest], self._ids(_ASKING), [*question_ids, *answering])

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer.encode(text).ids


def _piece_sums(pieces: Sequence[Piece], scores: Tensor) -> list[float]:
    ends = accumulate(len(piece.ids) for piece in pieces)
    return [
        float(scores[end - len(piece.ids) : end].sum())
        for piece, end in zip(pieces, ends, strict=True)
    ]


def phrase_sums(scores: Tensor, width: int) -> Tensor:
    """Each place's sum over ``width`` places around it, an even one further to the left.

    That is numpy's and scipy's convolution with ones, "same" size: for a width of 8 place ``i``
    has the sum of ``i - 4 … i + 3``. Shape and type stay.
    """
    right = (width - 1) // 2
    left = width - 1 - right
    totals = torch.cat([scores.new_zeros(1), scores.cumsum(0)])
    places = torch.arange(len(scores))
    ends = (places + right + 1).clamp(max=len(scores))
    return totals[ends] - totals[(places - left).clamp(min=0)]
