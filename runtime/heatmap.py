"""What each head looked at in a window when a question was asked, word by word.

What is shown is what the reader counts: attention beyond what the same text attracts when nothing
is asked. It says where a head took its information from, not why (Jain and Wallace, "Attention is
not Explanation", arXiv 1902.10186).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from ..cancellation import Cancellation
from ..errors import ReadingError
from ..evidence import Evidence, Page
from ..segmentation import Offsets, sentences
from .attention_method import AttentionMethod
from .decoder import Branch, Decoder
from .heads import Head
from .passages import Passage
from .reader import ReadingBudget
from .windows import CONTENT_FREE, Window, WindowBuilder

WINDOW_TOKENS = 4096
"""Of the window where the budget names no number: what a person looks through."""

_WIDE = "\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef"
"""Scripts written without spaces, whose every character may be a word."""
_WORD = re.compile(rf"[{_WIDE}]|[^\s{_WIDE}]+")


@dataclass(frozen=True, slots=True)
class Stretch:
    """Characters ``[start, end)`` of a page, a word or a sentence, and what it attracted."""

    start: int
    end: int
    shares: tuple[float, ...]
    """One for each of :attr:`HeadMap.rows`; below 0 where asking nothing attracts more."""


@dataclass(frozen=True, slots=True)
class PassageMap:
    """A passage of the window; every column of it counts in one word and in one sentence."""

    passage: Passage
    words: tuple[Stretch, ...]
    sentences: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class HeadMap:
    """What all heads together, and then each of them, looked at in one window."""

    question: str
    heads: tuple[Head, ...]
    passages: tuple[PassageMap, ...]
    """In reading order."""
    whole: bool
    """Whether the window held all there was."""
    read_tokens: int

    @property
    def rows(self) -> tuple[Head | None, ...]:
        """What a share is of: None is all heads together, as the reader sums them."""
        return (None, *self.heads)


@runtime_checkable
class Looker(Protocol):
    """A reader that can show what its heads look at."""

    async def look(
        self,
        question: str,
        pages: Sequence[Page],
        evidence: Sequence[Evidence],
        *,
        budget: ReadingBudget,
        cancel: Cancellation,
    ) -> HeadMap:
        """Read the pages once more in one window, or what of them surrounds the evidence.

        Raises:
            ReadingError: there is no text, or it does not fit the model's context.
            Cancelled: ``cancel`` was set meanwhile.
        """
        ...


def look(
    decoder: Decoder,
    windows: WindowBuilder,
    method: AttentionMethod,
    question: str,
    passages: Sequence[Passage],
    evidence: Sequence[Evidence],
    *,
    window_tokens: int | None = None,
    cancel: Cancellation,
) -> HeadMap:
    """What :meth:`Looker.look` promises, for the parts of a reader. Blocks.

    Raises:
        ReadingError: there are no passages, or they do not fit the model's context.
        Cancelled: ``cancel`` was set meanwhile.
    """
    room = decoder.config.context_length - windows.overhead(question)
    tokens = max(min(window_tokens or WINDOW_TOKENS, room), 1)
    chosen = window_passages(passages, evidence, windows, tokens=tokens)
    whole = len(chosen) == len(passages)
    return head_map(decoder, windows, method, question, chosen, whole=whole, cancel=cancel)


def window_passages(
    passages: Sequence[Passage],
    evidence: Sequence[Evidence],
    windows: WindowBuilder,
    *,
    tokens: int,
) -> list[Passage]:
    """All passages if a window of ``tokens`` holds them, else those around the evidence.

    The passages with the best evidence come first, then their neighbours on the same page, nearest
    first; what was chosen stands in the order of ``passages``.
    """
    sizes = [windows.size(passage) for passage in passages]
    if sum(sizes) <= tokens:
        return list(passages)
    chosen: set[int] = set()
    for place in _outwards(passages, evidence):
        tokens -= sizes[place]
        if tokens < 0 and chosen:
            break
        chosen.add(place)
    return [passages[place] for place in sorted(chosen)]


def head_map(
    decoder: Decoder,
    windows: WindowBuilder,
    method: AttentionMethod,
    question: str,
    passages: Sequence[Passage],
    *,
    whole: bool = True,
    cancel: Cancellation,
) -> HeadMap:
    """Read ``passages`` in one window and ask ``question``; ``whole`` is handed on. Blocks.

    Raises:
        ReadingError: there are no passages, or they do not fit the model's context.
        Cancelled: ``cancel`` was set meanwhile.
    """
    if not passages:
        raise ReadingError("there is no text to look at")
    window = windows.build(passages)
    asked = [_branch(windows, method, text) for text in (question, CONTENT_FREE)]
    attention = _attention(decoder, method, window, asked, cancel)
    return HeadMap(
        question=question,
        heads=method.heads,
        passages=tuple(
            _passage_map(passage, windows.offsets(passage), part)
            for passage, part in zip(window.members, window.parts(attention), strict=True)
        ),
        whole=whole,
        read_tokens=len(window.ids) + sum(len(branch.ids) for branch in asked),
    )


def _outwards(passages: Sequence[Passage], evidence: Sequence[Evidence]) -> Iterator[int]:
    """Places of passages: with evidence, best first; then one step away of each, two steps, …"""
    centres = [
        place
        for found in evidence
        for place, passage in enumerate(passages)
        if passage.page.page_id == found.span.page_id
        and passage.start < found.span.end
        and found.span.start < passage.end
    ] or [0]
    seen: set[int] = set()
    for distance in range(len(passages)):
        for centre in centres:
            page_id = passages[centre].page.page_id
            for place in (centre - distance, centre + distance):
                if place in seen or not 0 <= place < len(passages):
                    continue
                if passages[place].page.page_id == page_id:
                    seen.add(place)
                    yield place


def _branch(windows: WindowBuilder, method: AttentionMethod, question: str) -> Branch:
    tokens = windows.ask(question)
    return Branch(tokens.ids, tokens.rows if method.rows == "question" else (0, len(tokens.ids)))


def _attention(
    decoder: Decoder,
    method: AttentionMethod,
    window: Window,
    branches: Sequence[Branch],
    cancel: Cancellation,
) -> Tensor:
    """``(1 + heads, columns)``: what the method counts for all heads, and for each alone."""
    [prefix] = decoder.prefill_many([window.ids], last_layer=method.exit_layer, cancel=cancel)
    prefix.columns = window.columns
    [[asked, content_free]] = decoder.score_many(
        [prefix], branches, heads=method.heads, cancel=cancel
    )
    alone = [
        method.column_scores(asked[place : place + 1], content_free[place : place + 1])
        for place in range(len(method.heads))
    ]
    return torch.stack([method.column_scores(asked, content_free), *alone])


def _passage_map(passage: Passage, columns: Sequence[Offsets], shares: Tensor) -> PassageMap:
    words = _words(passage, columns)
    found = [(passage.start + start, passage.start + end) for start, end in sentences(passage.text)]
    return PassageMap(passage, _gathered(words, columns, shares), _gathered(found, columns, shares))


def _words(passage: Passage, columns: Sequence[Offsets]) -> list[Offsets]:
    """The words of a passage; those that one column stands for are one."""
    text = passage.page.text
    joints: set[int] = set()
    for start, end in columns:
        part = text[start:end]
        first = start + len(part) - len(part.lstrip())
        joints.update(range(first + 1, start + len(part.rstrip())))
    words: list[Offsets] = []
    for match in _WORD.finditer(text, passage.start, passage.end):
        start, end = match.span()
        if words and start in joints:
            start = words.pop()[0]
        words.append((start, end))
    return words


def _gathered(
    stretches: Sequence[Offsets], columns: Sequence[Offsets], shares: Tensor
) -> tuple[Stretch, ...]:
    """The sum over the columns of each stretch; a column counts where its last character lies.

    What lies between two stretches counts for the second, what lies after the last one for that.
    """
    ends = torch.tensor([end for _, end in columns])
    bounds = torch.tensor([end for _, end in stretches])
    places = torch.searchsorted(bounds, ends).clamp(max=len(stretches) - 1)
    sums = torch.zeros(len(shares), len(stretches)).index_add_(1, places, shares.float())
    return tuple(
        Stretch(start, end, tuple(values))
        for (start, end), values in zip(stretches, sums.T.tolist(), strict=True)
    )
