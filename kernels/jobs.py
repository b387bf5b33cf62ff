"""Jobs of the C++ kernels: what their records point to, and the threads that work on them."""

from __future__ import annotations

import ctypes
import math
import threading
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ..errors import ReadingError
from .checks import not_finite
from .library import (
    ITEM_ROWS,
    NO_MEMORY,
    NOT_FINITE,
    PACK_KEYS,
    AttentionJob,
    Library,
    LinearJob,
    SequenceRecord,
)
from .workers import share

TYPES = {torch.float32: 0, torch.bfloat16: 1}
"""Element types that the C++ kernels compute with, and what they call them."""


class Attention:
    """One job: its sequences, the memory that it works in, and what comes out."""

    def __init__(
        self, library: Library, level: int, query: Tensor, key_heads: int, *, causal: bool
    ) -> None:
        self._library = library
        self._query = dense(query)
        self._type = TYPES[query.dtype]
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
        key = self._keep(dense(key))
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
            value = self._keep(dense(value))
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
        run(self._library.attend, self._job)
        check_status(self._job.status, "attended values")
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
        run(self._library.score, job)
        check_status(job.status, "scores")
        return scores

    def _pack(self) -> None:
        job = self._job
        job.sequences = (SequenceRecord * len(self._records))(*self._records)
        job.count = len(self._records)
        job.packed = self._keep(workspace(self._packed)).data_ptr()
        run(self._library.pack, job)
        check_status(job.status, "keys or values")

    def _keep(self, tensor: Tensor) -> Tensor:
        self._kept.append(tensor)
        return tensor


_KEPT_BYTES = 64 << 20
_thread = threading.local()


def workspace(size: int) -> Tensor:
    """So many bytes that this thread alone uses until it asks again: fresh pages cost more than
    the copying that they are for."""
    found: Tensor | None = getattr(_thread, "workspace", None)
    if found is not None and len(found) >= size:
        return found
    fresh = torch.empty(size, dtype=torch.uint8)
    if size <= _KEPT_BYTES:
        _thread.workspace = fresh
    return fresh


def dense(tensor: Tensor) -> Tensor:
    """With the last dimension contiguous."""
    return tensor if tensor.stride(-1) == 1 or tensor.shape[-1] == 1 else tensor.contiguous()


def run(function: Callable[..., object], job: AttentionJob | LinearJob) -> None:
    pointer = ctypes.byref(job)
    share(lambda: function(pointer))


def check_status(status: int, name: str) -> None:
    if status == NOT_FINITE:
        raise not_finite(name)
    if status == NO_MEMORY:
        raise ReadingError("there is no memory left to read in")
