"""Plain softmax attention in float64, one step at a time, and random sequences to try it on."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from hypothesis import strategies as st
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Shape:
    heads: int
    key_heads: int
    rows: int
    before: int
    """Columns before the rows' own."""
    width: int

    def sequence(self, seed: int = 0, dtype: torch.dtype = torch.float32) -> list[Tensor]:
        """Queries ``(heads, rows, width)``; keys and values of ``before + rows`` columns."""
        generator = torch.Generator().manual_seed(seed)
        columns = self.rows + self.before
        sizes = [
            (self.heads, self.rows, self.width),
            *2 * [(self.key_heads, columns, self.width)],
        ]
        return [torch.randn(size, generator=generator).to(dtype) for size in sizes]


shapes = st.builds(
    lambda heads, rows, before, width: Shape(heads[0], heads[1], rows, before, width),
    st.sampled_from([(1, 1), (4, 2), (7, 1), (3, 3)]),
    st.one_of(st.integers(1, 30), st.sampled_from([97, 193])),
    st.one_of(st.integers(0, 70), st.sampled_from([257, 511])),
    st.sampled_from([1, 2, 15, 16, 33, 64, 80, 96, 128, 200, 256]),
)


def logits(query: Tensor, key: Tensor) -> Tensor:
    """``(heads, rows, columns)``"""
    keys = key.double().repeat_interleave(len(query) // len(key), dim=0)
    return query.double() @ keys.transpose(1, 2) / math.sqrt(query.shape[-1])


def hidden(rows: int, columns: int) -> Tensor:
    """``(rows, columns)``: what a row, one of the last, does not see."""
    return torch.arange(columns) > torch.arange(columns - rows, columns).unsqueeze(1)


def causal_probabilities(query: Tensor, key: Tensor, visible: Tensor | None = None) -> Tensor:
    """``(heads, rows, columns)``; ``visible`` of the same shape hides more."""
    found = logits(query, key).masked_fill(hidden(query.shape[1], key.shape[1]), -math.inf)
    if visible is not None:
        found = found.masked_fill(~visible, -math.inf)
    return found.softmax(dim=-1)


def weighted(probabilities: Tensor, value: Tensor) -> Tensor:
    """``(heads, rows, width)``"""
    values = value.double().repeat_interleave(len(probabilities) // len(value), dim=0)
    return probabilities @ values
