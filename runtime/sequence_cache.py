"""Which sequences hold the keys and values of which tokens, and who may add how many more."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

_WORTH_SHARING = 16
"""Tokens in common below which a sequence is not copied."""


class SequenceMemory(Protocol):
    """What the cache needs of a model's context."""

    cuts_back: bool
    """Whether a sequence can be cut back to its beginning; if not, it can only be emptied."""

    def cut(self, sequence: int, length: int) -> bool:
        """Forget all but ``length`` tokens; False, and nothing done, where only all can go."""
        ...

    def share(self, source: int, target: int, length: int) -> None:
        """Give ``target``, which is empty, the first ``length`` tokens of ``source``."""
        ...


@dataclass(eq=False, slots=True)
class CachedSequence:
    """One sequence: the tokens that are evaluated, and room for those to come."""

    id: int
    tokens: list[int] = field(default_factory=list)
    cells: list[int] = field(default_factory=list)
    """Where each token is kept; sequences that share a beginning name the same cells."""
    room: int = 0
    """Tokens that may still be added."""
    busy: bool = False
    used: int = 0
    """When it was last used, on the cache's own clock."""


class SequenceCache:
    """Hands out sequences of a memory of ``cells`` tokens; what is done stays for the next.

    A new sequence begins with what any other one has in common with its prompt. The room that it
    asks for is its own from the start, so that nothing under way ever lacks it; tokens of
    finished sequences make way, the longest unused first.
    """

    def __init__(self, memory: SequenceMemory, *, cells: int, sequences: int) -> None:
        self._memory = memory
        self._cells = cells
        self._sequences = [CachedSequence(number) for number in range(sequences)]
        self._new_cells = itertools.count()
        self._clock = itertools.count(1)

    def open(self, prompt: Sequence[int], answer_tokens: int) -> CachedSequence | None:
        """A sequence for ``prompt`` and its answer, or None until others are closed.

        Its tokens are the beginning of ``prompt``; the last token is always left to evaluate,
        since its logits are what is sampled from.
        """
        idle = sorted((s for s in self._sequences if not s.busy), key=lambda s: s.used)
        if not idle:
            return None
        source, shared = self._longest_beginning(prompt)
        kept = source.cells[:shared] if source else []
        needed = len(prompt) + answer_tokens - shared
        busy = [sequence.cells for sequence in self._sequences if sequence.busy]
        if self._occupied([*busy, kept]) + self._promised() + needed > self._cells:
            return None
        target = next((s for s in idle if s is not source), idle[0])
        if target is not source:
            self._cut(target, 0)
            if source is not None:
                self._memory.share(source.id, target.id, shared)
                target.tokens, target.cells = source.tokens[:shared], list(kept)
                source.used = next(self._clock)
        self._make_way(needed, [s for s in idle if s is not target and s is not source])
        if source is not None and not source.busy and (target is source or self._lacks(needed)):
            self._cut(source, shared)
        target.room = len(prompt) + answer_tokens - len(target.tokens)
        target.busy, target.used = True, next(self._clock)
        return target

    def extend(self, sequence: CachedSequence, tokens: Sequence[int]) -> None:
        """``tokens`` were evaluated behind what ``sequence`` holds."""
        sequence.tokens += tokens
        sequence.cells += itertools.islice(self._new_cells, len(tokens))
        sequence.room -= len(tokens)

    def close(self, sequence: CachedSequence) -> None:
        """Give back the room that was not used; the tokens stay until others need theirs."""
        sequence.room, sequence.busy, sequence.used = 0, False, next(self._clock)

    def clear(self) -> None:
        """Forget everything, because what the memory holds is unknown."""
        for sequence in self._sequences:
            self._cut(sequence, 0)
            self.close(sequence)

    @property
    def occupied(self) -> int:
        """Tokens kept; what sequences share counts once."""
        return self._occupied(sequence.cells for sequence in self._sequences)

    def _longest_beginning(self, prompt: Sequence[int]) -> tuple[CachedSequence | None, int]:
        if not self._memory.cuts_back:
            return None, 0
        limit = len(prompt) - 1
        lengths = [(min(common_length(s.tokens, prompt), limit), s) for s in self._sequences]
        length, source = max(lengths, key=lambda found: found[0])
        return (source, length) if length >= _WORTH_SHARING else (None, 0)

    def _make_way(self, needed: int, unused: Sequence[CachedSequence]) -> None:
        for sequence in unused:
            if not self._lacks(needed):
                return
            self._cut(sequence, 0)

    def _lacks(self, needed: int) -> bool:
        return self.occupied + self._promised() + needed > self._cells

    def _promised(self) -> int:
        return sum(sequence.room for sequence in self._sequences if sequence.busy)

    def _cut(self, sequence: CachedSequence, length: int) -> None:
        if len(sequence.tokens) <= length:
            return
        if not self._memory.cut(sequence.id, length):
            self._memory.cut(sequence.id, 0)
            length = 0
        del sequence.tokens[length:], sequence.cells[length:]

    @staticmethod
    def _occupied(cells: Iterable[Sequence[int]]) -> int:
        return len(set().union(*cells))


def common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """How many tokens two sequences have in common from their beginning."""
    same, different = 0, min(len(first), len(second)) + 1
    while different - same > 1:
        middle = (same + different) // 2
        if first[same:middle] == second[same:middle]:
            same = middle
        else:
            different = middle
    return same
