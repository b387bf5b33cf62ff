"""The C++ tier: contracts are those of :mod:`.reference`.

What the C++ file does not do goes to the reference: float16, head widths above 256, tensors that
are not in main memory.
"""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable, Sequence
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
    not_finite,
    windows,
)
from .library import (
    INSTRUCTIONS,
    ITEM_ROWS,
    MAX_WIDTH,
    NO_MEMORY,
    NOT_FINITE,
    OUTPUT_GROUP,
    PACK_KEYS,
    AttentionJob,
    Library,
    LinearJob,
    SequenceRecord,
)
from .quantization import QuantizedLinear, check_rows, quantize_linear
from .workers import share

_TYPES = {torch.float32: 0, torch.bfloat16: 1}


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
    def int8_is_fast(self) -> bool:
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
        job = _Attention(self._library, self._level, query, key.shape[0], causal=True)
        job.add(slice(None), key, value, blocks)
        return job.attend()

    def prefill_windows(
        self, query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int]
    ) -> Tensor:
        """:func:`.reference.prefill_windows`."""
        check_lengths(query, lengths)
        check_causal(query, key, value)
        if not _can(query):
            return reference.prefill_windows(query, key, value, lengths)
        job = _Attention(self._library, self._level, query, key.shape[0], causal=True)
        for rows in windows(lengths):
            job.add(rows, key[:, rows], value[:, rows])
        return job.attend()

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
        job = _Attention(self._library, self._level, query, keys[0].shape[0], causal=False)
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
        job = _Attention(self._library, self._level, query, key.shape[0], causal=True)
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
        job = _Attention(self._library, self._level, query, key.shape[0], causal=False)
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
        rows = _dense(rows)
        quantized = _workspace(len(rows) * _round_up(linear.inputs, 4))
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
            type=_TYPES[rows.dtype],
            instructions=self._level,
        )
        _run(self._library.quantize, job)
        _check(job.status, "rows")
        _run(self._library.multiply, job)
        return output


class _Attention:
    """One job: its sequences, the memory that it works in, and what comes out."""

    def __init__(
        self, library: Library, level: int, query: Tensor, key_heads: int, *, causal: bool
    ) -> None:
        self._library = library
        self._query = _dense(query)
        self._type = _TYPES[query.dtype]
        self._records: list[SequenceRecord] = []
        # What the records point into must live as long as they do.
        self._kept: list[Tensor] = []
        self._packed = self._pack_items = self._row_items = 0
        heads, rows, width = query.shape
        # Rows outside, so that a caller that wants all heads of a row together has them so.
        self._attended = torch.empty(rows, heads, width, dtype=query.dtype).transpose(0, 1)
        self._sums: Tensor | None = None
        self._job = AttentionJob(
            query_heads=heads,
            key_heads=key_heads,
            width=width,
            scale=math.log2(math.e) / math.sqrt(width),
            type=self._type,
            causal=causal,
            instructions=level,
        )

    def with_sums(self) -> Tensor:
        """``(H, M)``, filled in by :meth:`attend`: for sequences of as many rows as all have."""
        self._sums = torch.empty(self._query.shape[:2])
        return self._sums

    def add(
        self,
        rows: slice,
        key: Tensor,
        value: Tensor | None,
        blocks: Tensor | None = None,
        *,
        elsewhere: Tensor | None = None,
    ) -> None:
        job = self._job
        key = self._keep(_dense(key))
        query = self._query[:, rows]
        attended = self._attended[:, rows]
        count, columns = query.shape[1], key.shape[1]
        record = SequenceRecord(
            query=query.data_ptr(),
            key=key.data_ptr(),
            attended=attended.data_ptr(),
            rows=count,
            columns=columns,
            query_head=query.stride(0),
            query_row=query.stride(1),
            key_head=key.stride(0),
            key_row=key.stride(1),
            attended_head=attended.stride(0),
            attended_row=attended.stride(1),
            packed=self._packed,
            pack_item=self._pack_items,
            row_item=self._row_items,
        )
        if value is not None:
            value = self._keep(_dense(value))
            record.value = value.data_ptr()
            record.value_head, record.value_row = value.stride(0), value.stride(1)
        if blocks is not None:
            record.blocks = self._keep(blocks.contiguous()).data_ptr()
        if elsewhere is not None:
            record.extra = self._keep(elsewhere.float().contiguous()).data_ptr()
        if self._sums is not None:
            part = self._sums[:, rows]
            record.logsumexp, record.logsumexp_head = part.data_ptr(), part.stride(0)
        self._records.append(record)
        self._packed += self._library.packed_bytes(
            job.instructions, self._type, job.key_heads, columns, job.width
        )
        self._pack_items += job.key_heads * math.ceil(columns / PACK_KEYS)
        self._row_items += job.query_heads * math.ceil(count / ITEM_ROWS)

    def attend(self) -> Tensor:
        self._pack()
        _run(self._library.attend, self._job)
        _check(self._job.status, "attended values")
        return self._attended

    def score(self, heads: Sequence[int], columns: tuple[int, int], weights: Tensor) -> Tensor:
        job = self._job
        scores = torch.empty(len(heads), columns[1] - columns[0])
        chosen = self._keep(torch.tensor(list(heads), dtype=torch.int32))
        job.heads, job.head_count = chosen.data_ptr(), len(heads)
        job.first_column, job.last_column = columns
        job.row_weights = self._keep(weights.contiguous()).data_ptr()
        job.scores = scores.data_ptr()
        self._pack()
        _run(self._library.score, job)
        _check(job.status, "scores")
        return scores

    def _pack(self) -> None:
        job = self._job
        job.sequences = (SequenceRecord * len(self._records))(*self._records)
        job.count = len(self._records)
        job.packed = _workspace(self._packed).data_ptr()
        _run(self._library.pack, job)
        _check(job.status, "keys or values")

    def _keep(self, tensor: Tensor) -> Tensor:
        self._kept.append(tensor)
        return tensor


_thread = threading.local()


def _workspace(size: int) -> Tensor:
    """So many bytes that this thread alone uses until it asks again: fresh pages cost more than
    the copying that they are for."""
    found: Tensor | None = getattr(_thread, "workspace", None)
    if found is None or len(found) < size:
        found = _thread.workspace = torch.empty(size, dtype=torch.uint8)
    return found


def _can(query: Tensor) -> bool:
    return query.dtype in _TYPES and query.shape[2] <= MAX_WIDTH and query.device.type == "cpu"


def _dense(tensor: Tensor) -> Tensor:
    """With the last dimension contiguous."""
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] == 1 else tensor.contiguous()


def _run(function: Callable[..., object], job: AttentionJob | LinearJob) -> None:
    pointer = ctypes.byref(job)
    share(lambda: function(pointer))


def _check(status: int, name: str) -> None:
    if status == NOT_FINITE:
        raise not_finite(name)
    if status == NO_MEMORY:
        raise ReadingError("there is no memory left to read in")


def _round_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
