"""The torch kernels against plain softmax attention in float32."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from leadline.kernels.reference import prefill_attention, score_rows

shapes = st.tuples(
    st.sampled_from([(1, 1), (4, 2), (6, 2), (14, 2)]),
    st.integers(1, 12),
    st.integers(0, 12),
    st.sampled_from([2, 16]),
)


def sequence(shape: tuple[tuple[int, int], int, int, int], seed: int = 0) -> list[Tensor]:
    (heads, key_heads), rows, before, width = shape
    generator = torch.Generator().manual_seed(seed)
    sizes = [(heads, rows, width)] + 2 * [(key_heads, rows + before, width)]
    return [torch.randn(size, generator=generator) for size in sizes]


def probabilities(query: Tensor, key: Tensor) -> Tensor:
    """``(H, M, N)``, one element at a time."""
    heads, rows, width = query.shape
    columns = key.shape[1]
    result = torch.zeros(heads, rows, columns)
    for head in range(heads):
        keys = key[head * key.shape[0] // heads]
        for row in range(rows):
            seen = columns - rows + row + 1
            result[head, row, :seen] = (keys[:seen] @ query[head, row] / math.sqrt(width)).softmax(
                0
            )
    return result


@settings(deadline=None)
@given(shapes)
def test_prefill_is_causal_grouped_attention(
    shape: tuple[tuple[int, int], int, int, int],
) -> None:
    query, key, value = sequence(shape)
    expected = probabilities(query, key) @ value.repeat_interleave(len(query) // len(key), dim=0)
    torch.testing.assert_close(prefill_attention(query, key, value), expected, rtol=1e-4, atol=1e-5)


@settings(deadline=None)
@given(shapes, st.data())
def test_scores_are_weighted_sums_of_probabilities(
    shape: tuple[tuple[int, int], int, int, int], data: st.DataObject
) -> None:
    query, key, _ = sequence(shape)
    heads = data.draw(st.lists(st.integers(0, len(query) - 1), min_size=1, max_size=5))
    start = data.draw(st.integers(0, key.shape[1] - 1))
    stop = data.draw(st.integers(start + 1, key.shape[1]))
    weights = torch.rand(query.shape[1])
    found = score_rows(query, key, heads=heads, columns=(start, stop), row_weights=weights)
    expected = torch.einsum("m,hmn->hn", weights, probabilities(query, key)[heads])[:, start:stop]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_the_mean_over_rows_sums_to_one_over_all_columns() -> None:
    query, key, _ = sequence(((4, 2), 5, 9, 16))
    scores = score_rows(query, key, heads=range(4), columns=(0, 14))
    torch.testing.assert_close(scores.sum(dim=1), torch.ones(4))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_low_precision_errs_little(dtype: torch.dtype) -> None:
    query, key, value = sequence(((14, 2), 40, 300, 64), seed=1)
    exact = prefill_attention(query, key, value)
    low = prefill_attention(query.to(dtype), key.to(dtype), value.to(dtype))
    assert low.dtype == dtype
    assert (low.float() - exact).abs().max() < 0.02
    scores = score_rows(query, key, heads=range(14), columns=(0, 340))
    low_scores = score_rows(query.to(dtype), key.to(dtype), heads=range(14), columns=(0, 340))
    assert (low_scores - scores).abs().max() < 1e-2
