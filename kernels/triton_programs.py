"""The Triton programs of :mod:`.triton_tier`: attention with its sums, column scores, int8 products.

Attention is FlashAttention-2 (arXiv 2307.08691). A program works on ``BLOCK_M`` rows of one head and
goes through the columns in steps of ``BLOCK_N``; both divide the blocks of :mod:`.block_sparse`.
Without a GPU they run in Triton's interpreter, with the first configuration and unchanged otherwise.
"""

from __future__ import annotations

import triton
import triton.language as tl
from triton import knobs

_ATTENTION = [
    triton.Config({"BLOCK_M": 64, "BLOCK_N": 64}, num_warps=4, num_stages=2),
    triton.Config({"BLOCK_M": 64, "BLOCK_N": 128}, num_warps=4, num_stages=2),
    triton.Config({"BLOCK_M": 64, "BLOCK_N": 64}, num_warps=8, num_stages=3),
    triton.Config({"BLOCK_M": 64, "BLOCK_N": 32}, num_warps=4, num_stages=3),
]
_PRODUCTS = [
    triton.Config({"BLOCK_M": 64, "BLOCK_N": 64, "BLOCK_K": 64}, num_warps=4, num_stages=3),
    triton.Config({"BLOCK_M": 128, "BLOCK_N": 128, "BLOCK_K": 64}, num_warps=8, num_stages=3),
    triton.Config({"BLOCK_M": 64, "BLOCK_N": 128, "BLOCK_K": 128}, num_warps=4, num_stages=4),
]


def _tried(configs: list[triton.Config]) -> list[triton.Config]:
    """All on a GPU; in the interpreter, which has no clock to choose by, the first."""
    return configs[:1] if knobs.runtime.interpret else configs


@triton.jit
def _logits(query, key, rows, columns, row_count, column_count, scale, CAUSAL: tl.constexpr):
    """Logits in base 2, and minus infinity where a row does not see a column."""
    logits = tl.dot(query, tl.trans(key), input_precision="ieee") * scale
    visible = (columns < column_count)[None, :] & (rows < row_count)[:, None]
    if CAUSAL:
        last = rows + (column_count - row_count)
        visible = visible & (columns[None, :] <= last[:, None])
    return tl.where(visible, logits, float("-inf"))


@triton.autotune(_tried(_ATTENTION), key=["row_count", "column_count", "WIDTH"])
@triton.jit
def attention(
    query, key, value, attended, sums, blocks,
    query_head, query_row, key_head, key_row, value_head, value_row, attended_head, attended_row,
    row_count, column_count, width, scale,
    GROUP: tl.constexpr, WIDTH: tl.constexpr, CAUSAL: tl.constexpr, BLOCKED: tl.constexpr,
    MASK_ROWS: tl.constexpr, MASK_COLUMNS: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Attended values and log-sums of one block of rows of one head."""
    first, head = tl.program_id(0) * BLOCK_M, tl.program_id(1)
    rows, channels = first + tl.arange(0, BLOCK_M), tl.arange(0, WIDTH)
    within = (rows < row_count)[:, None] & (channels < width)[None, :]
    start = query + head * query_head
    queries = tl.load(start + rows[:, None] * query_row + channels[None, :], within, other=0.0)
    highest = tl.full([BLOCK_M], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    result = tl.zeros([BLOCK_M, WIDTH], tl.float32)
    limit = column_count
    if CAUSAL:
        limit = tl.minimum(column_count, column_count - row_count + first + BLOCK_M)
    across = tl.cdiv(column_count, MASK_COLUMNS)
    chosen = blocks + (head * tl.cdiv(row_count, MASK_ROWS) + first // MASK_ROWS) * across
    for column in range(0, limit, BLOCK_N):
        wanted = True
        if BLOCKED:
            wanted = tl.load(chosen + column // MASK_COLUMNS) != 0
        if wanted:
            columns = column + tl.arange(0, BLOCK_N)
            here = (columns < column_count)[:, None] & (channels < width)[None, :]
            start = key + head // GROUP * key_head
            keys = tl.load(start + columns[:, None] * key_row + channels[None, :], here, other=0.0)
            logits = _logits(queries, keys, rows, columns, row_count, column_count, scale, CAUSAL)
            new = tl.maximum(highest, tl.max(logits, axis=1))
            # A row that has seen nothing yet must not subtract an infinity from itself.
            base = tl.where(new == float("-inf"), 0.0, new)
            shares = tl.exp2(logits - base[:, None])
            decay = tl.exp2(highest - base)
            total = total * decay + tl.sum(shares, axis=1)
            start = value + head // GROUP * value_head
            values = tl.load(
                start + columns[:, None] * value_row + channels[None, :], here, other=0.0
            )
            part = tl.dot(shares.to(values.dtype), values, input_precision="ieee")
            result = result * decay[:, None] + part
            highest = new
    total = tl.where(total > 0, total, 1.0)  # rows behind the last have seen nothing
    result = result / total[:, None]
    start = attended + head * attended_head
    place = start + rows[:, None] * attended_row + channels[None, :]
    tl.store(place, result.to(attended.dtype.element_ty), within)
    logarithms = (highest + tl.log2(total)) * 0.6931471805599453
    tl.store(sums + head * row_count + rows, logarithms, rows < row_count)


@triton.autotune(_tried(_ATTENTION), key=["row_count", "column_count", "WIDTH"])
@triton.jit
def row_sums(
    query, key, heads, sums,
    query_head, query_row, key_head, key_row,
    row_count, column_count, width, scale,
    GROUP: tl.constexpr, WIDTH: tl.constexpr, CAUSAL: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Log-sums, in base 2, of one block of rows of one chosen head."""
    first, place = tl.program_id(0) * BLOCK_M, tl.program_id(1)
    head = tl.load(heads + place)
    rows, channels = first + tl.arange(0, BLOCK_M), tl.arange(0, WIDTH)
    within = (rows < row_count)[:, None] & (channels < width)[None, :]
    start = query + head * query_head
    queries = tl.load(start + rows[:, None] * query_row + channels[None, :], within, other=0.0)
    highest = tl.full([BLOCK_M], float("-inf"), tl.float32)
    total = tl.zeros([BLOCK_M], tl.float32)
    for column in range(0, column_count, BLOCK_N):
        columns = column + tl.arange(0, BLOCK_N)
        here = (columns < column_count)[:, None] & (channels < width)[None, :]
        start = key + head // GROUP * key_head
        keys = tl.load(start + columns[:, None] * key_row + channels[None, :], here, other=0.0)
        logits = _logits(queries, keys, rows, columns, row_count, column_count, scale, CAUSAL)
        new = tl.maximum(highest, tl.max(logits, axis=1))
        base = tl.where(new == float("-inf"), 0.0, new)
        total = total * tl.exp2(highest - base) + tl.sum(tl.exp2(logits - base[:, None]), axis=1)
        highest = new
    total = tl.where(total > 0, total, 1.0)  # rows behind the last have seen nothing
    tl.store(sums + place * row_count + rows, highest + tl.log2(total), rows < row_count)


@triton.autotune(_tried(_ATTENTION), key=["row_count", "column_count", "WIDTH"])
@triton.jit
def column_scores(
    query, key, heads, sums, weights, scores,
    query_head, query_row, key_head, key_row,
    row_count, column_count, width, scale, first_column, last_column,
    GROUP: tl.constexpr, WIDTH: tl.constexpr, CAUSAL: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """Weighted sums over all rows of the probabilities of one block of columns of one head."""
    column, place = first_column + tl.program_id(0) * BLOCK_N, tl.program_id(1)
    head = tl.load(heads + place)
    columns, channels = column + tl.arange(0, BLOCK_N), tl.arange(0, WIDTH)
    here = (columns < column_count)[:, None] & (channels < width)[None, :]
    start = key + head // GROUP * key_head
    keys = tl.load(start + columns[:, None] * key_row + channels[None, :], here, other=0.0)
    found = tl.zeros([BLOCK_N], tl.float32)
    for first in range(0, row_count, BLOCK_M):
        rows = first + tl.arange(0, BLOCK_M)
        within = (rows < row_count)[:, None] & (channels < width)[None, :]
        start = query + head * query_head
        queries = tl.load(start + rows[:, None] * query_row + channels[None, :], within, other=0.0)
        logits = _logits(queries, keys, rows, columns, row_count, column_count, scale, CAUSAL)
        there = rows < row_count
        logarithms = tl.load(sums + place * row_count + rows, there, other=0.0)
        weight = tl.load(weights + rows, there, other=0.0)
        found += tl.sum(weight[:, None] * tl.exp2(logits - logarithms[:, None]), axis=0)
    count = last_column - first_column
    tl.store(scores + place * count + (columns - first_column), found, columns < last_column)


@triton.autotune(_tried(_PRODUCTS), key=["outputs", "inputs"])
@triton.jit
def int8_products(
    rows, weights, row_scales, weight_scales, result,
    row_count, outputs, inputs,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """One tile of ``(rows @ weights.T) * row_scales * weight_scales`` in float32."""
    row = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    output = tl.program_id(1) * BLOCK_N + tl.arange(0, BLOCK_N)
    total = tl.zeros([BLOCK_M, BLOCK_N], tl.int32)
    for start in range(0, inputs, BLOCK_K):
        place = start + tl.arange(0, BLOCK_K)
        left = (row < row_count)[:, None] & (place < inputs)[None, :]
        right = (output < outputs)[:, None] & (place < inputs)[None, :]
        numbers = tl.load(rows + row[:, None] * inputs + place[None, :], left, other=0)
        weight = tl.load(weights + output[:, None] * inputs + place[None, :], right, other=0)
        total += tl.dot(numbers, tl.trans(weight))
    scale = tl.load(row_scales + row, row < row_count, other=0.0)
    other = tl.load(weight_scales + output, output < outputs, other=0.0)
    within = (row < row_count)[:, None] & (output < outputs)[None, :]
    product = total.to(tl.float32) * (scale[:, None] * other[None, :])
    tl.store(result + row[:, None] * outputs + output[None, :], product, within)
