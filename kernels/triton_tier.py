"""The Triton tier, for NVIDIA GPUs: contracts are those of :mod:`.reference`.

Tensors lie in the GPU's memory; without a GPU, ``TRITON_INTERPRET=1`` runs the same programs in
Triton's interpreter on tensors in main memory, slowly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from triton import knobs

from ..errors import ReadingError
from . import triton_programs as programs
from .block_sparse import check_blocks
from .checks import (
    check_attention,
    check_cached,
    check_causal,
    check_elsewhere,
    check_finite,
    check_lengths,
    check_scores,
    windows,
)
from .library import BLOCK_COLUMNS, BLOCK_ROWS
from .quantization import QuantizedLinear, check_rows, quantize_linear

_SMALLEST_WIDTH = 16
"""Of a matrix that the tensor cores multiply."""


class TritonKernels:
    """The programs of :mod:`.triton_programs`."""

    NAME = "triton"
    INT8_IS_FAST = True

    def prefill_attention(
        self, query: Tensor, key: Tensor, value: Tensor, *, blocks: Tensor | None = None
    ) -> Tensor:
        """:func:`.reference.prefill_attention`."""
        check_causal(query, key, value)
        if blocks is not None:
            check_blocks(blocks, query, key)
        return check_finite(_attend(query, key, value, causal=True, blocks=blocks)[0], "attended")

    def prefill_windows(
        self, query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """:func:`.reference.prefill_windows`."""
        check_lengths(query, lengths)
        check_causal(query, key, value)
        parts = [
            _attend(query[:, rows], key[:, rows], value[:, rows], causal=True)
            for rows in windows(lengths)
        ]
        return _joined(parts)

    def attend_cached(
        self,
        query: Tensor,
        keys: Sequence[Tensor],
        values: Sequence[Tensor],
        lengths: Sequence[int],
    ) -> tuple[Tensor, Tensor]:
        """:func:`.reference.attend_cached`."""
        check_cached(query, keys, values, lengths)
        parts = [
            _attend(query[:, rows], key, value, causal=False)
            for rows, key, value in zip(windows(lengths), keys, values, strict=True)
        ]
        return _joined(parts)

    def score_rows(
        self,
        query: Tensor,
        key: Tensor,
        *,
        heads: Sequence[int],
        columns: tuple[int, int],
        row_weights: Tensor | None = None,
    ) -> Tensor:
        """:func:`.reference.score_rows`."""
        check_causal(query, key)
        weights = check_scores(query, key.shape[1], heads, columns, row_weights)
        return _score(query, key, heads, columns, weights, causal=True)

    def score_cached(
        self,
        query: Tensor,
        key: Tensor,
        elsewhere: Tensor,
        *,
        heads: Sequence[int],
        columns: tuple[int, int],
        row_weights: Tensor | None = None,
    ) -> Tensor:
        """:func:`.reference.score_cached`."""
        check_attention(query, key)
        check_elsewhere(query, elsewhere)
        weights = check_scores(query, key.shape[1], heads, columns, row_weights)
        return _score(query, key, heads, columns, weights, causal=False, elsewhere=elsewhere)

    def pack_linear(
        self, weight: Tensor, bias: Tensor | None = None, *, outliers: Sequence[int] = ()
    ) -> QuantizedLinear:
        """:func:`.quantization.quantize_linear`, for :meth:`linear_w8a8`."""
        linear = quantize_linear(weight, bias, outliers=outliers)
        return replace(linear, weights=linear.weights.contiguous())

    def linear_w8a8(self, rows: Tensor, linear: QuantizedLinear) -> Tensor:
        """:func:`.reference.linear_w8a8`."""
        check_rows(rows, linear)
        _check_place(rows)
        numbers = check_finite(rows, "rows").float()
        places = linear.outliers.long()
        apart = numbers[:, places] @ linear.outlier_weights
        numbers = numbers.index_fill(1, places, 0.0)
        largest = numbers.abs().amax(dim=1, keepdim=True)
        factors = torch.where(largest > 1e-30, torch.full_like(largest, 127) / largest, 0.0)
        quantized = (numbers * factors).round_().to(torch.int8)
        result = torch.empty(len(rows), linear.outputs, device=rows.device)
        if len(rows):
            programs.int8_products[_product_grid(result)](
                quantized, linear.weights, (largest / 127).flatten(), linear.scales, result,
                len(rows), linear.outputs, linear.inputs,
            )  # fmt: skip
        result += apart
        return (result if linear.bias is None else result + linear.bias).to(rows.dtype)


def _attend(
    query: Tensor, key: Tensor, value: Tensor, *, causal: bool, blocks: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    query, key, value = _checked(query), _checked(key), _checked(value)
    heads, rows, width = query.shape
    attended = torch.empty_like(query, memory_format=torch.contiguous_format)
    sums = torch.empty(heads, rows, device=query.device)
    mask = sums if blocks is None else blocks.to(torch.uint8).contiguous()
    programs.attention[lambda config: (_blocks(rows, config["BLOCK_M"]), heads)](
        query, key, value, attended, sums, mask,
        *query.stride()[:2], *key.stride()[:2], *value.stride()[:2], *attended.stride()[:2],
        rows, key.shape[1], width, _scale(width),
        GROUP=heads // len(key), WIDTH=_padded(width), CAUSAL=causal, BLOCKED=blocks is not None,
        MASK_ROWS=BLOCK_ROWS, MASK_COLUMNS=BLOCK_COLUMNS,
    )  # fmt: skip
    return attended, sums


def _score(
    query: Tensor,
    key: Tensor,
    heads: Sequence[int],
    columns: tuple[int, int],
    weights: Tensor,
    *,
    causal: bool,
    elsewhere: Tensor | None = None,
) -> Tensor:
    query, key = _checked(query), _checked(key)
    _, rows, width = query.shape
    start, stop = columns
    chosen = torch.tensor(list(heads), dtype=torch.int32, device=query.device)
    scores = torch.empty(len(heads), stop - start, device=query.device)
    if not len(heads):
        return scores
    shared = (*query.stride()[:2], *key.stride()[:2], rows, key.shape[1], width, _scale(width))
    kinds = {"GROUP": len(query) // len(key), "WIDTH": _padded(width), "CAUSAL": causal}
    sums = torch.empty(len(heads), rows, device=query.device)
    programs.row_sums[lambda config: (_blocks(rows, config["BLOCK_M"]), len(heads))](
        query, key, chosen, sums, *shared, **kinds
    )
    if elsewhere is not None:
        sums = torch.logaddexp2(sums, elsewhere[chosen.long()].float() * math.log2(math.e))
    programs.column_scores[lambda config: (_blocks(stop - start, config["BLOCK_N"]), len(heads))](
        query, key, chosen, sums, weights.contiguous(), scores, *shared, start, stop, **kinds
    )
    return check_finite(scores, "scores")


def _joined(parts: Sequence[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    attended = torch.cat([part for part, _ in parts], dim=1)
    return check_finite(attended, "attended values"), torch.cat([sums for _, sums in parts], dim=1)


def _checked(states: Tensor) -> Tensor:
    """Finite, where a program can read it, and with the last dimension contiguous."""
    _check_place(states)
    check_finite(states, "queries, keys or values")
    return states if states.stride(-1) == 1 else states.contiguous()


def _check_place(tensor: Tensor) -> None:
    if tensor.device.type != "cuda" and not knobs.runtime.interpret:
        raise ReadingError(
            f"the triton kernels cannot read tensors on '{tensor.device}'",
            remedy="move them to the GPU, or choose other kernels",
        )


def _scale(width: int) -> float:
    return math.log2(math.e) / math.sqrt(width)


def _padded(width: int) -> int:
    return max(_SMALLEST_WIDTH, 1 << (width - 1).bit_length())


def _blocks(count: int, size: int) -> int:
    return -(-count // size)


def _product_grid(result: Tensor) -> object:
    rows, outputs = result.shape
    return lambda config: (_blocks(rows, config["BLOCK_M"]), _blocks(outputs, config["BLOCK_N"]))
