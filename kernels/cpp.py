"""The C++ tier: contracts are those of :mod:`.reference`.

What the C++ file does not do goes to the reference: float16 and head widths above 256.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..errors import ReadingError
from . import reference
from .block_sparse import check_blocks
from .checks import (
    check_attention,
    check_cached,
    check_causal,
    check_elsewhere,
    check_lengths,
    check_scores,
    windows,
)
from .jobs import TYPES, Attention, check_status, dense, run, workspace
from .library import INSTRUCTIONS, MAX_WIDTH, OUTPUT_GROUP, Library, LinearJob
from .quantization import QuantizedLinear, check_rows, quantize_linear


class CppKernels:
    """The kernels of a loaded library, with one of its sets of instructions.

    Raises:
        ReadingError: this processor does not have these instructions.
    """

    NAME = "cpp"

    def __init__(self, library: Library, instructions: str | None = None) -> None:
        usable = INSTRUCTIONS[: library.best_instructions + 1]
        self.instructions = instructions or usable[-1]
        if self.instructions not in usable:
            raise ReadingError(
                f"this processor cannot run '{instructions}' kernels, but {', '.join(usable)}"
            )
        self._library = library
        self._level = INSTRUCTIONS.index(self.instructions)

    @property
    def INT8_IS_FAST(self) -> bool:
        """Whether int8 products are instructions here."""
        return self.instructions == "avx512"

    def prefill_attention(
        self, query: Tensor, key: Tensor, value: Tensor, *, blocks: Tensor | None = None
    ) -> Tensor:
        """:func:`.reference.prefill_attention`."""
        check_causal(query, key, value)
        if blocks is not None:
            check_blocks(blocks, query, key)
        if not _can(query):
            return reference.prefill_attention(query, key, value, blocks=blocks)
        job = Attention(self._library, self._level, query, key.shape[0], causal=True)
        job.add(slice(None), key, value, blocks)
        return job.attend()

    def prefill_windows(
        self, query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """:func:`.reference.prefill_windows`."""
        check_lengths(query, lengths)
        check_causal(query, key, value)
        if not _can(query):
            return reference.prefill_windows(query, key, value, lengths)
        job = Attention(self._library, self._level, query, key.shape[0], causal=True)
        sums = job.with_sums()
        for rows in windows(lengths):
            job.add(rows, key[:, rows], value[:, rows])
        return job.attend(), sums

    def attend_cached(
        self,
        query: Tensor,
        keys: Sequence[Tensor],
        values: Sequence[Tensor],
        lengths: Sequence[int],
    ) -> tuple[Tensor, Tensor]:
        """:func:`.reference.attend_cached`."""
        check_cached(query, keys, values, lengths)
        if not _can(query):
            return reference.attend_cached(query, keys, values, lengths)
        job = Attention(self._library, self._level, query, keys[0].shape[0], causal=False)
        sums = job.with_sums()
        for rows, key, value in zip(windows(lengths), keys, values, strict=True):
            job.add(rows, key, value)
        return job.attend(), sums

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
        if not _can(query):
            return reference.score_rows(
                query, key, heads=heads, columns=columns, row_weights=row_weights
            )
        job = Attention(self._library, self._level, query, key.shape[0], causal=True)
        job.add(slice(None), key, None)
        return job.score(heads, columns, weights)

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
        if not _can(query):
            return reference.score_cached(
                query, key, elsewhere, heads=heads, columns=columns, row_weights=row_weights
            )
        job = Attention(self._library, self._level, query, key.shape[0], causal=False)
        job.add(slice(None), key, None, elsewhere=elsewhere)
        return job.score(heads, columns, weights)

    def pack_linear(
        self, weight: Tensor, bias: Tensor | None = None, *, outliers: Sequence[int] = ()
    ) -> QuantizedLinear:
        """:func:`.quantization.quantize_linear`, packed for :meth:`linear_w8a8`."""
        linear = quantize_linear(weight, bias, outliers=outliers)
        outputs, inputs = linear.weights.shape
        size = _round_up(outputs, OUTPUT_GROUP) * _round_up(inputs, 4)
        packed = torch.empty(size, dtype=torch.int8)
        source = linear.weights.contiguous()
        self._library.pack_linear(source.data_ptr(), outputs, inputs, packed.data_ptr())
        return replace(linear, weights=packed)

    def linear_w8a8(self, rows: Tensor, linear: QuantizedLinear) -> Tensor:
        """:func:`.reference.linear_w8a8`, of what :meth:`pack_linear` made."""
        check_rows(rows, linear)
        if rows.dtype == torch.float16:
            return self.linear_w8a8(rows.float(), linear).half()
        output = torch.empty(len(rows), linear.outputs, dtype=rows.dtype)
        if not len(rows):
            return output
        rows = dense(rows)
        quantized = workspace(len(rows) * _round_up(linear.inputs, 4))
        scales = torch.empty(len(rows))
        apart = torch.empty(len(rows), len(linear.outliers))
        job = LinearJob(
            input=rows.data_ptr(),
            output=output.data_ptr(),
            weights=linear.weights.data_ptr(),
            weight_scales=linear.scales.data_ptr(),
            weight_sums=linear.sums.data_ptr(),
            bias=None if linear.bias is None else linear.bias.data_ptr(),
            outliers=linear.outliers.data_ptr(),
            outlier_weights=linear.outlier_weights.data_ptr(),
            quantized=quantized.data_ptr(),
            row_scales=scales.data_ptr(),
            outlier_values=apart.data_ptr(),
            rows=len(rows),
            inputs=linear.inputs,
            outputs=linear.outputs,
            outlier_count=len(linear.outliers),
            input_row=rows.stride(0),
            output_row=output.stride(0),
            type=TYPES[rows.dtype],
            instructions=self._level,
        )
        run(self._library.quantize, job)
        check_status(job.status, "rows")
        run(self._library.multiply, job)
        return output


def _can(query: Tensor) -> bool:
    return query.dtype in TYPES and query.shape[2] <= MAX_WIDTH and query.device.type == "cpu"


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
