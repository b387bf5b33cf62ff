"""Text cut into the pieces that InfiniRetri keeps or drops, and the pieces into windows.

A window is a chunk of new text below the pieces that the windows before it kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from ..segmentation import Offsets, passages, sentences
from .tokenizer import TextTokenizer

PIECE_CHARS = 1000
"""Longest piece: a sentence beyond it is cut at white space."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence, or as much of one as is kept or dropped as a whole."""

    ids: tuple[int, ...]
    text: str
    """What the ids were made from."""
    spans: tuple[Offsets, ...]
    """The characters of the whole text that it stands for; without white space around them."""
    places: tuple[int, ...] = ()
    """Where each character of ``text`` stands in the whole text, -1 where it does not; only for
    windows that are split again each time."""


class Windows(Protocol):
    """The windows of one text, in its order."""

    def __len__(self) -> int: ...

    def pieces(self, number: int, kept: Sequence[Piece]) -> list[Piece]:
        """The pieces of window ``number``, those kept by the one before it first."""
        ...


class SentenceWindows:
    """Windows over whole sentences; every character that is not white space is in exactly one.

    A sentence longer than ``PIECE_CHARS``, or than ``limit`` tokens, is cut into several pieces.
    """

    def __init__(self, text: str, tokenizer: TextTokenizer, *, limit: int) -> None:
        self._text = text
        self._tokenizer = tokenizer
        self._chunks: list[list[Piece]] = []
        room = 0
        for piece in self._all_pieces(limit):
            if not self._chunks or len(piece.ids) > room:
                self._chunks.append([])
                room = limit
            self._chunks[-1].append(piece)
            room -= len(piece.ids)

    def __len__(self) -> int:
        return len(self._chunks)

    def pieces(self, number: int, kept: Sequence[Piece]) -> list[Piece]:
        first, *others = [*kept, *self._chunks[number]]
        # The white space before a window's first word is the prompt's.
        bare = first.text.lstrip()
        return [Piece(self._ids(bare), bare, first.spans), *others]

    def _all_pieces(self, limit: int) -> Iterator[Piece]:
        before = 0
        for sentence in sentences(self._text):
            for start, end in _cut(self._text, sentence, PIECE_CHARS):
                yield from self._fitting(before, (start, end), limit)
                before = end

    def _fitting(self, before: int, span: Offsets, limit: int) -> Iterator[Piece]:
        """``span`` with the white space since ``before``, in pieces of at most ``limit`` tokens."""
        start, end = span
        text = _gap(self._text[before:start]) + self._text[start:end]
        ids = self._ids(text)
        if len(ids) <= limit or end - start == 1:
            yield Piece(ids, text, (span,))
            return
        for part in _cut(self._text, span, (end - start) // 2):
            yield from self._fitting(before, part, limit)
            before = part[1]

    def _ids(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text).ids)


def _cut(text: str, span: Offsets, max_chars: int) -> list[Offsets]:
    start, end = span
    if end - start <= max_chars:
        return [span]
    return [(start + a, start + b) for a, b in passages(text[start:end], max_chars=max_chars)]


def _gap(white_space: str) -> str:
    """As much of the white space between two pieces as says what it says."""
    lines = white_space.count("\n")
    return "\n\n" if lines > 1 else "\n" if lines else " " if white_space else ""
