"""InfiniRetri's own cutting of text (PyPI ``infini-retri`` 0.0.3), with all its faults.

Text is split after each mark of punctuation, inside numbers and addresses too; a chunk counts one
token more between two sentences; a sentence longer than a chunk is cut at single spaces, and what
is still too long is left out. What is kept of a window is put before the next chunk as text, and
split again with it. For comparisons: :class:`~.infiniretri_windows.SentenceWindows` is what reads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ..segmentation import Offsets
from .infiniretri_windows import Piece
from .tokenizer import TextTokenizer

_MARK = re.compile(r"\n\n|[。！？.?!]")
_SHORT_IN_CHUNKS, _SHORT_IN_WINDOWS = 10, 8
"""After a full stop, so few characters go on with the sentence: chunks and windows differ."""

_BREAK = "\n\n"
"""Stands after the context in the prompt, and goes with its last sentence."""


def published_sentences(text: str, *, short: int = _SHORT_IN_WINDOWS) -> list[Offsets]:
    """Sentences with all their white space, as they lie end to end; a blank last one is left out.

    A mark ends a sentence when what follows is neither blank, nor another mark, nor (after a full
    stop) at most ``short`` characters long.
    """
    spans: list[Offsets] = []
    start = end = 0
    for first, last in _between_marks(text):
        part = text[first:last].strip()
        sentence = text[start:end]
        goes_on = not part or _MARK.fullmatch(part) or not sentence.strip()
        if goes_on or (sentence[-1] == "." and len(part) <= short):
            end = last
        else:
            spans.append((start, end))
            start, end = first, last
    if text[start:end].strip():
        spans.append((start, end))
    return spans


class PublishedWindows:
    """Windows as the published package makes them."""

    def __init__(self, text: str, tokenizer: TextTokenizer, *, limit: int) -> None:
        self._tokenizer = tokenizer
        self._limit = limit
        whole = _Placed(text, tuple(range(len(text))))
        self._chunks = [chunk for chunk in self._all_chunks(whole) if chunk.text.strip()]

    def __len__(self) -> int:
        return len(self._chunks)

    def pieces(self, number: int, kept: Sequence[Piece]) -> list[Piece]:
        before = [_Placed(piece.text, piece.places) for piece in kept]
        context = _joined([*before, self._chunks[number]]).stripped()
        context = _joined([context, _Placed(_BREAK, (-1,) * len(_BREAK))])
        return [
            self._piece(context.part(start, end))
            for start, end in published_sentences(context.text)
        ]

    def _piece(self, sentence: _Placed) -> Piece:
        ids = tuple(self._tokenizer.encode(sentence.text).ids)
        return Piece(ids, sentence.text, tuple(sentence.spans()), sentence.places)

    def _all_chunks(self, whole: _Placed) -> Iterator[_Placed]:
        separator = self._tokens("\n")
        current: list[_Placed] = []
        total = 0
        for sentence in _sentences_of_chunks(whole):
            size = self._tokens(sentence.text)
            if current and total + size + separator > self._limit:
                yield from self._closed(current, total)
                current, total = [], 0
            total += size + (separator if current else 0)
            current.append(sentence)
        yield from self._closed(current, total)

    def _closed(self, sentences: list[_Placed], total: int) -> list[_Placed]:
        if total <= self._limit:
            return [_joined(sentences)]
        by_words = self._balanced(self._packed(_words(sentences[0])), _words)
        return self._balanced(by_words, _sentences_of_chunks)

    def _packed(self, words: Iterable[_Placed]) -> list[_Placed]:
        """Words in chunks; a word that is too long alone is left out."""
        chunks = [_joined([])]
        for word in words:
            size = self._tokens(word.text)
            if self._tokens(chunks[-1].text) + size <= self._limit:
                chunks[-1] = _joined([chunks[-1], word])
            else:
                chunks.append(word)
        return [chunk for chunk in chunks if chunk.text and self._fits(chunk)]

    def _balanced(
        self, chunks: list[_Placed], split: Callable[[_Placed], list[_Placed]]
    ) -> list[_Placed]:
        """A short last chunk shares the text of the one before it, from both of its ends."""
        if len(chunks) < 2 or self._tokens(chunks[-1].text) >= self._limit // 2:
            return chunks
        parts = split(_joined(chunks[-2:]))
        if len(parts) == 1:
            return chunks
        front, back = _joined([]), _joined([])
        while parts:
            longer = _joined([front, parts[0]])
            if taken := self._fits(longer):
                front = longer
                del parts[0]
            if parts and self._fits(longer := _joined([parts[-1], back])):
                back = longer
                del parts[-1]
            elif not taken:
                break
        return [*chunks[:-2], front, _joined([*parts, back])]

    def _fits(self, chunk: _Placed) -> bool:
        return self._tokens(chunk.text) <= self._limit

    def _tokens(self, text: str) -> int:
        return len(self._tokenizer.encode(text).ids)


@dataclass(frozen=True, slots=True)
class _Placed:
    """Text, and where each of its characters stands in the whole text (-1: nowhere)."""

    text: str
    places: tuple[int, ...]

    def part(self, start: int, end: int) -> _Placed:
        return _Placed(self.text[start:end], self.places[start:end])

    def stripped(self) -> _Placed:
        start = len(self.text) - len(self.text.lstrip())
        return self.part(start, max(start, len(self.text.rstrip())))

    def spans(self) -> Iterator[Offsets]:
        """Runs of neighbouring characters of the whole text, without white space around them."""
        solid = [
            (place - number, number, place)
            for number, (character, place) in enumerate(zip(self.text, self.places, strict=True))
            if place >= 0
        ]
        for _, run in groupby(solid, key=lambda item: item[0]):
            _, numbers, places = zip(*run, strict=True)
            part = self.text[numbers[0] : numbers[-1] + 1]
            bare = part.strip()
            if bare:
                start = places[0] + len(part) - len(part.lstrip())
                yield start, start + len(bare)


def _joined(parts: Iterable[_Placed]) -> _Placed:
    parts = list(parts)
    places = tuple(place for part in parts for place in part.places)
    return _Placed("".join(part.text for part in parts), places)


def _sentences_of_chunks(whole: _Placed) -> list[_Placed]:
    spans = published_sentences(whole.text, short=_SHORT_IN_CHUNKS)
    return [whole.part(start, end) for start, end in spans]


def _words(sentence: _Placed) -> list[_Placed]:
    """Words, each with one space after it but the last, which has no white space around it."""
    spans = [match.span() for match in re.finditer(r"[^ ]+", sentence.text)]
    words = [sentence.part(start, end + 1) for start, end in spans[:-1]]
    return [*words, sentence.part(*spans[-1]).stripped()]


def _between_marks(text: str) -> Iterator[Offsets]:
    """The marks and what lies between them, in order."""
    position = 0
    for mark in _MARK.finditer(text):
        if mark.start() > position:
            yield position, mark.start()
        yield mark.span()
        position = mark.end()
    if position < len(text):
        yield position, len(text)
