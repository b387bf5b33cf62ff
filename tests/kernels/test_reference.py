"""The torch kernels against plain softmax attention in float32."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from leadline.errors import ReadingError
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


def test_very_large_logits_do_not_overflow() -> None:
    query, key, _ = sequence(((4, 2), 3, 5, 16))
    scores = score_rows(query * 1e4, key * 1e4, heads=range(4), columns=(0, 8))
    torch.testing.assert_close(scores.sum(dim=1), torch.ones(4))


def tensors(*sizes: tuple[int, ...]) -> list[Tensor]:
    return [torch.ones(size) for size in sizes]


@pytest.mark.parametrize(
    ("query", "key", "value", "cause"),
    [
        (*tensors((4, 3, 8), (3, 3, 8), (3, 3, 8)), "do not fit keys"),
        (*tensors((4, 3, 8), (2, 3, 4), (2, 3, 4)), "do not fit keys"),
        (*tensors((4, 3, 8), (2, 2, 8), (2, 2, 8)), "3 rows do not fit 2 columns"),
        (*tensors((4, 3, 8), (2, 3, 8), (2, 4, 8)), "values"),
        (*tensors((4, 8), (2, 8), (2, 8)), "3-d"),
        (*tensors((4, 0, 8), (2, 3, 8), (2, 3, 8)), "3-d"),
    ],
)
def test_odd_shapes_are_refused(query: Tensor, key: Tensor, value: Tensor, cause: str) -> None:
    with pytest.raises(ReadingError, match=cause):
        prefill_attention(query, key, value)


def test_other_types_are_refused() -> None:
    query, key, value = sequence(((4, 2), 3, 0, 8))
    with pytest.raises(ReadingError, match="differ in type"):
        score_rows(query, key.bfloat16(), heads=[0], columns=(0, 3))
    with pytest.raises(ReadingError, match="differ in type"):
        score_rows(query.double(), key.double(), heads=[0], columns=(0, 3))
    with pytest.raises(ReadingError, match="values"):
        prefill_attention(query, key, value.bfloat16())


def test_heads_columns_and_weights_must_exist() -> None:
    query, key, _ = sequence(((4, 2), 3, 2, 8))
    with pytest.raises(ReadingError, match="heads"):
        score_rows(query, key, heads=[4], columns=(0, 5))
    for columns in ((0, 6), (2, 2), (-1, 3)):
        with pytest.raises(ReadingError, match="columns"):
            score_rows(query, key, heads=[0], columns=columns)
    with pytest.raises(ReadingError, match="weights"):
        score_rows(query, key, heads=[0], columns=(0, 5), row_weights=torch.ones(2))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_numbers_that_are_none_are_refused(bad: float) -> None:
    query, key, value = sequence(((4, 2), 3, 2, 8))
    spoilt = key.clone()
    spoilt[0, 1, 1] = bad
    with pytest.raises(ReadingError, match="NaN"):
        prefill_attention(query, spoilt, value)
    with pytest.raises(ReadingError, match="NaN"):
        score_rows(query, spoilt, heads=[0], columns=(0, 5))
