"""Which blocks of attention are kept."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.errors import ReadingError
from leadline.kernels.block_sparse import block_visibility, check_blocks, choose_blocks

from .oracle import Shape, hidden


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 900),
    before=st.integers(0, 500),
    sink=st.integers(0, 300),
    local=st.integers(0, 400),
    chosen=st.integers(0, 4),
)
def test_a_row_sees_the_sink_and_what_is_near(
    rows: int, before: int, sink: int, local: int, chosen: int
) -> None:
    query, key, _ = Shape(2, 1, rows, before, 8).sequence()
    blocks = choose_blocks(query, key, sink=sink, local=local, chosen=chosen)
    check_blocks(blocks, query, key)
    columns = rows + before
    place = torch.arange(before, columns).unsqueeze(1)
    column = torch.arange(columns)
    wanted = (column <= place) & ((column < sink) | (column >= place - local))
    visible = block_visibility(blocks, rows, columns)
    assert visible[:, wanted].all()
    assert not visible[:, hidden(rows, columns)].any()


def test_further_blocks_are_those_that_queries_point_to() -> None:
    query, key, _ = Shape(2, 1, 2000, 0, 16).sequence()
    query, key = query * 0.01, key * 0.01
    query[0, -192:, 3] = 5
    key[0, 512:640, 3] = 5
    query[1, -192:, 4] = 5
    key[0, 1024:1152, 4] = 5
    blocks = choose_blocks(query, key, sink=0, local=128, chosen=1)
    assert blocks[0, -1, 4] and not blocks[0, -1, 8]
    assert blocks[1, -1, 8] and not blocks[1, -1, 4]


def test_a_streaming_head_is_given_no_further_blocks() -> None:
    query, key, _ = Shape(4, 2, 2000, 0, 16).sequence()
    without = choose_blocks(query, key, sink=128, local=256, chosen=0)
    some = choose_blocks(query, key, sink=128, local=256, chosen=3, streaming=[1, 2])
    assert torch.equal(some[[1, 2]], without[[1, 2]])
    assert some[0].sum() > without[0].sum()
    full = choose_blocks(query, key, sink=128, local=256, chosen=100)
    assert torch.equal(block_visibility(full, 2000, 2000)[0], ~hidden(2000, 2000))


def test_what_cannot_be_is_refused() -> None:
    query, key, _ = Shape(2, 1, 300, 0, 8).sequence()
    with pytest.raises(ReadingError, match="negative"):
        choose_blocks(query, key, local=-1)
    blocks = choose_blocks(query, key, sink=0, local=0, chosen=0)
    with pytest.raises(ReadingError, match="do not fit"):
        check_blocks(blocks[:1], query, key)
    with pytest.raises(ReadingError, match="do not fit"):
        check_blocks(blocks.int(), query, key)
    blocks[0, 1, 2] = False
    with pytest.raises(ReadingError, match="its own block"):
        check_blocks(blocks, query, key)
