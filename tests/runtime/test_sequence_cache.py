"""The bookkeeping of sequences, over a memory that checks what it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.runtime.sequence_cache import CachedSequence, SequenceCache, common_length

BEGINNING = list(range(100, 140))


class Memory:
    """Keeps each sequence's length, as a context would."""

    def __init__(self, *, cuts_back: bool = True) -> None:
        self.cuts_back = cuts_back
        self.lengths: dict[int, int] = {}

    def cut(self, sequence: int, length: int) -> bool:
        assert length < self.lengths[sequence]
        if length and not self.cuts_back:
            return False
        self.lengths[sequence] = length
        return True

    def share(self, source: int, target: int, length: int) -> None:
        assert not self.lengths.get(target)
        assert length <= self.lengths[source]
        self.lengths[target] = length

    def add(self, sequence: CachedSequence, count: int) -> None:
        self.lengths[sequence.id] = self.lengths.get(sequence.id, 0) + count


def fill(cache: SequenceCache, memory: Memory, prompt: Sequence[int]) -> CachedSequence:
    sequence = cache.open(prompt, 4)
    assert sequence is not None
    rest = prompt[len(sequence.tokens) :]
    memory.add(sequence, len(rest))
    cache.extend(sequence, rest)
    return sequence


def test_a_beginning_is_taken_over_and_counts_once() -> None:
    memory = Memory()
    cache = SequenceCache(memory, cells=200, sequences=3)
    first = fill(cache, memory, [*BEGINNING, 1, 2])
    second = fill(cache, memory, [*BEGINNING, 3])
    assert cache.occupied == len(BEGINNING) + 3
    cache.close(first)
    third = cache.open([*BEGINNING, 1, 2], 4)
    assert third is not None
    assert third.tokens == [*BEGINNING, 1], "the last token is left to evaluate"
    assert second.tokens == [*BEGINNING, 3]


def test_what_is_under_way_keeps_its_room_and_what_is_done_makes_way() -> None:
    memory = Memory()
    cache = SequenceCache(memory, cells=100, sequences=4)
    first = fill(cache, memory, [*range(60)])
    assert cache.open([*range(1000, 1040)], 4) is None
    cache.close(first)
    second = fill(cache, memory, [*range(1000, 1040)])
    assert first.tokens == []
    assert cache.occupied == 40
    cache.close(second)


def test_the_longest_unused_makes_way_first() -> None:
    memory = Memory()
    cache = SequenceCache(memory, cells=130, sequences=4)
    old, new = (fill(cache, memory, [*range(start, start + 40)]) for start in (1000, 2000))
    cache.close(old)
    cache.close(new)
    fill(cache, memory, [*range(3000, 3060)])
    assert (len(old.tokens), len(new.tokens)) == (0, 40)


def test_a_memory_that_cannot_cut_back_shares_nothing() -> None:
    memory = Memory(cuts_back=False)
    cache = SequenceCache(memory, cells=400, sequences=2)
    cache.close(fill(cache, memory, [*BEGINNING, 1]))
    again = cache.open([*BEGINNING, 2], 4)
    assert again is not None
    assert again.tokens == []


PROMPTS = st.lists(
    st.builds(
        lambda shared, own, start: [*BEGINNING[:shared], *range(start, start + own)],
        st.integers(0, 40),
        st.integers(1, 50),
        st.integers(1000, 1003),
    ),
    min_size=1,
    max_size=12,
)


@pytest.mark.parametrize("cuts_back", [True, False])
@given(prompts=PROMPTS, answers=st.data())
def test_whatever_comes_the_memory_is_never_overrun(
    cuts_back: bool, prompts: list[list[int]], answers: st.DataObject
) -> None:
    memory = Memory(cuts_back=cuts_back)
    cache = SequenceCache(memory, cells=120, sequences=4)
    under_way: list[CachedSequence] = []
    for prompt in prompts:
        room = answers.draw(st.integers(0, 20))
        while (sequence := cache.open(prompt, room)) is None:
            assert under_way, "a request that fits alone waits for nobody"
            cache.close(under_way.pop(answers.draw(st.integers(0, len(under_way) - 1))))
        assert sequence.tokens == prompt[: len(sequence.tokens)]
        assert len(sequence.tokens) < len(prompt)
        assert sequence.room == len(prompt) + room - len(sequence.tokens)
        added = answers.draw(st.integers(0, sequence.room))
        memory.add(sequence, added)
        cache.extend(sequence, [*prompt, *range(9000, 9020)][len(sequence.tokens) :][:added])
        under_way.append(sequence)
        promised = sum(s.room for s in under_way)
        assert cache.occupied + promised <= 120
        assert memory.lengths[sequence.id] == len(sequence.tokens) == len(sequence.cells)


@given(st.lists(st.integers(0, 1)), st.lists(st.integers(0, 1)))
def test_the_common_beginning(first: list[int], second: list[int]) -> None:
    length = common_length(first, second)
    assert first[:length] == second[:length]
    assert first[: length + 1] != second[: length + 1] or length == len(first) == len(second)
