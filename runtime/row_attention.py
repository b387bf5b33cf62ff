"""Where single rows of one sequence look: their whole attention, head by head."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..cancellation import Cancellation
from .decoder import Branch, Decoder, Prefix
from .heads import Head

_TOGETHER = 8
"""Rows that are asked in one pass. Each goes after the prefix of each: squares of it are read."""


def row_attention(
    decoder: Decoder,
    ids: Sequence[int],
    rows: range,
    heads: Sequence[Head],
    *,
    cancel: Cancellation | None = None,
) -> Iterator[Tensor]:
    """For each row of ``rows``, a place in ``ids`` after the first: ``(len(heads), row)``.

    That is the row's attention to every column before it, of a softmax over these and its own.

    Raises:
        ReadingError: a head or a row does not exist, or ``ids`` exceed the model's context.
        Cancelled: ``cancel`` was set meanwhile.
    """
    [whole] = decoder.prefill_many([ids[: rows.stop - 1]], cancel=cancel)
    for start in range(rows.start, rows.stop, _TOGETHER):
        group = range(start, min(start + _TOGETHER, rows.stop))
        prefixes = [_beginning(whole, row) for row in group]
        branches = [Branch([ids[row]], (0, 1)) for row in group]
        scores = decoder.score_many(prefixes, branches, heads=heads, cancel=cancel)
        for place in range(len(group)):
            yield scores[place][place]


def strongest_column(attention: Tensor) -> Tensor:
    """``(heads,)``: the column, of :func:`row_attention`'s, that each head attends to most.

    Where that is the row itself it is -1.
    """
    strongest, column = attention.max(dim=1)
    own = 1 - attention.sum(dim=1)
    return torch.where(own > strongest, -1, column)


def _beginning(prefix: Prefix, length: int) -> Prefix:
    return Prefix(
        length,
        [key[:, :length] for key in prefix.keys],
        [value[:, :length] for value in prefix.values],
    )
