"""Every tier, with every set of instructions, against softmax attention in float64.

An error is allowed to be twice that of torch in the same precision (as flash-attention's tests
allow it), and a little more where torch happens to be exact.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from leadline.errors import ReadingError
from leadline.kernels import reference
from leadline.kernels.block_sparse import block_visibility, choose_blocks
from leadline.kernels.tiers import Kernels

from .oracle import Shape, causal_probabilities, hidden, logits, shapes, weighted

EXAMPLES = settings(
    deadline=None,
    max_examples=20,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

dtypes = st.sampled_from([torch.float32, torch.bfloat16, torch.float16])

ROUNDING = {torch.float32: 2e-6, torch.bfloat16: 4e-3, torch.float16: 5e-4}
"""What a result near 1 may be off where torch is exact."""


def assert_no_worse(found: Tensor, torchs: Tensor, exact: Tensor, rounding: float) -> None:
    allowed = 2 * (torchs.double() - exact).abs().max() + rounding
    assert (found.double() - exact).abs().max() <= allowed


@EXAMPLES
@given(shape=shapes, dtype=dtypes, seed=st.integers(0, 5))
def test_prefill(kernels: Kernels, shape: Shape, dtype: torch.dtype, seed: int) -> None:
    query, key, value = shape.sequence(seed, dtype)
    found = kernels.prefill_attention(query, key, value)
    assert found.shape == query.shape and found.dtype == dtype
    exact = weighted(causal_probabilities(query, key), value)
    torchs = reference.prefill_attention(query, key, value)
    assert_no_worse(found, torchs, exact, ROUNDING[dtype])


@EXAMPLES
@given(shape=shapes, dtype=dtypes, data=st.data())
def test_scores_of_rows(
    kernels: Kernels, shape: Shape, dtype: torch.dtype, data: st.DataObject
) -> None:
    query, key, _ = shape.sequence(3, dtype)
    heads = data.draw(st.lists(st.integers(0, len(query) - 1), min_size=1, max_size=5))
    start = data.draw(st.integers(0, key.shape[1] - 1))
    stop = data.draw(st.integers(start + 1, key.shape[1]))
    weights = torch.rand(shape.rows) if data.draw(st.booleans()) else None

    def scored(tier: Kernels) -> Tensor:
        columns = (start, stop)
        return tier.score_rows(query, key, heads=heads, columns=columns, row_weights=weights)

    found = scored(kernels)
    rows = torch.full((shape.rows,), 1 / shape.rows) if weights is None else weights
    exact = torch.einsum("m,hmn->hn", rows.double(), causal_probabilities(query, key)[heads])
    assert_no_worse(found, scored(reference), exact[:, start:stop], 2e-6 * float(rows.sum()))


@EXAMPLES
@given(shape=shapes, dtype=dtypes, data=st.data())
def test_cached_windows(
    kernels: Kernels, shape: Shape, dtype: torch.dtype, data: st.DataObject
) -> None:
    """Each window's rows see all of it, and no other's columns."""
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4))
    caches = [
        Shape(shape.heads, shape.key_heads, shape.rows, place, shape.width).sequence(place, dtype)
        for place in range(len(lengths))
    ]
    query = Shape(shape.heads, 1, sum(lengths), 0, shape.width).sequence(9, dtype)[0]
    keys, values = [cache[1] for cache in caches], [cache[2] for cache in caches]
    found, sums = kernels.attend_cached(query, keys, values, lengths)
    torchs, torch_sums = reference.attend_cached(query, keys, values, lengths)
    exact, exact_sums, start = [], [], 0
    for length, key, value in zip(lengths, keys, values, strict=True):
        found_logits = logits(query[:, start : start + length], key)
        exact.append(weighted(found_logits.softmax(dim=-1), value))
        exact_sums.append(found_logits.logsumexp(dim=-1))
        start += length
    assert_no_worse(found, torchs, torch.cat(exact, dim=1), ROUNDING[dtype])
    assert_no_worse(sums, torch_sums, torch.cat(exact_sums, dim=1), 1e-5)


@EXAMPLES
@given(shape=shapes, dtype=dtypes)
def test_scores_of_a_cached_window_are_those_of_the_whole_softmax(
    kernels: Kernels, shape: Shape, dtype: torch.dtype
) -> None:
    query, key, _ = shape.sequence(4, dtype)
    elsewhere = torch.randn(query.shape[:2]) * 3
    columns = (key.shape[1] // 3, key.shape[1])
    heads = list(range(len(query)))
    found = kernels.score_cached(query, key, elsewhere, heads=heads, columns=columns)
    whole = torch.cat([logits(query, key), elsewhere.double().unsqueeze(-1)], dim=-1)
    exact = whole.softmax(dim=-1).mean(dim=1)[:, columns[0] : columns[1]]
    torchs = reference.score_cached(query, key, elsewhere, heads=heads, columns=columns)
    assert_no_worse(found, torchs, exact, 2e-6)


@EXAMPLES
@given(
    lengths=st.lists(st.one_of(st.integers(1, 40), st.just(300)), min_size=1, max_size=5),
    dtype=dtypes,
)
def test_windows_read_together_are_read_as_if_alone(
    kernels: Kernels, lengths: list[int], dtype: torch.dtype
) -> None:
    query, key, value = Shape(4, 2, sum(lengths), 0, 64).sequence(5, dtype)
    found, sums = kernels.prefill_windows(query, key, value, lengths)
    start = 0
    for length in lengths:
        rows = slice(start, start + length)
        alone = kernels.prefill_attention(query[:, rows], key[:, rows], value[:, rows])
        torch.testing.assert_close(found[:, rows], alone)
        visible = logits(query[:, rows], key[:, rows]).masked_fill(
            hidden(length, length), -math.inf
        )
        expected = visible.logsumexp(dim=-1).float()
        torch.testing.assert_close(sums[:, rows], expected, rtol=1e-4, atol=1e-4)
        start += length


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [Shape(4, 2, 700, 0, 64), Shape(4, 2, 300, 500, 80)])
def test_skipped_blocks_are_not_seen(kernels: Kernels, dtype: torch.dtype, shape: Shape) -> None:
    query, key, value = shape.sequence(6, dtype)
    blocks = choose_blocks(query, key, sink=64, local=100, chosen=1, streaming=[2])
    assert not blocks.all()
    found = kernels.prefill_attention(query, key, value, blocks=blocks)
    visible = block_visibility(blocks, shape.rows, shape.rows + shape.before)
    exact = weighted(causal_probabilities(query, key, visible), value)
    torchs = reference.prefill_attention(query, key, value, blocks=blocks)
    assert_no_worse(found, torchs, exact, ROUNDING[dtype])


linears = st.tuples(
    st.integers(1, 40),
    st.one_of(st.integers(1, 70), st.just(900)),
    st.one_of(st.integers(1, 70), st.just(200)),
)


@EXAMPLES
@given(size=linears, dtype=dtypes, data=st.data())
def test_int8_products_are_those_of_the_same_integers(
    kernels: Kernels, size: tuple[int, int, int], dtype: torch.dtype, data: st.DataObject
) -> None:
    rows, inputs, outputs = size
    generator = torch.Generator().manual_seed(7)
    numbers = torch.randn(rows, inputs, generator=generator).to(dtype)
    weight = torch.randn(outputs, inputs, generator=generator)
    bias = torch.randn(outputs, generator=generator) if data.draw(st.booleans()) else None
    outliers = data.draw(st.lists(st.integers(0, inputs - 1), max_size=3))
    found = kernels.linear_w8a8(numbers, kernels.pack_linear(weight, bias, outliers=outliers))
    expected = reference.linear_w8a8(
        numbers, reference.pack_linear(weight, bias, outliers=outliers)
    )
    assert found.dtype == dtype
    # The integers are equal; what is left is the order of float32 sums, then one rounding.
    torch.testing.assert_close(found, expected, rtol=2 * ROUNDING[dtype], atol=1e-4)


def test_int8_loses_little_and_outliers_kept_apart_save_the_rest(kernels: Kernels) -> None:
    generator = torch.Generator().manual_seed(8)
    numbers = torch.randn(64, 512, generator=generator)
    weight = torch.randn(256, 512, generator=generator)

    def error(outliers: list[int]) -> float:
        linear = kernels.pack_linear(weight, outliers=outliers)
        exact = numbers.double() @ weight.double().T
        wrong = kernels.linear_w8a8(numbers, linear).double() - exact
        return float(wrong.norm() / exact.norm())

    assert error([]) < 0.02
    numbers[:, 100] *= 200
    assert error([]) > 3 * error([100])
    assert error([100]) < 0.02


def test_strides_do_not_matter(kernels: Kernels) -> None:
    query, key, value = Shape(4, 2, 50, 7, 32).sequence()
    expected = kernels.prefill_attention(query, key, value)
    scores = kernels.score_rows(query, key, heads=[1, 3], columns=(0, 57))

    def laid_otherwise(states: Tensor, order: tuple[int, int, int]) -> Tensor:
        back = sorted(range(3), key=order.__getitem__)
        return states.permute(order).contiguous().permute(back)

    for order in ((1, 0, 2), (2, 1, 0), (1, 2, 0)):
        other = [laid_otherwise(states, order) for states in (query, key, value)]
        torch.testing.assert_close(kernels.prefill_attention(*other), expected)
        found = kernels.score_rows(other[0], other[1], heads=[1, 3], columns=(0, 57))
        torch.testing.assert_close(found, scores)
    wide = torch.randn(9, 40)
    linear = kernels.pack_linear(torch.randn(5, 20))
    rows = wide[:, ::2]
    assert torch.equal(
        kernels.linear_w8a8(rows, linear), kernels.linear_w8a8(rows.contiguous(), linear)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_very_large_logits_do_not_overflow(kernels: Kernels, dtype: torch.dtype) -> None:
    query, key, value = Shape(4, 2, 3, 5, 16).sequence(0, dtype)
    scores = kernels.score_rows(query * 1e4, key * 1e4, heads=range(4), columns=(0, 8))
    torch.testing.assert_close(scores.sum(dim=1), torch.ones(4))
    attended = kernels.prefill_attention(query * 1e4, key * 1e4, value)
    assert attended.isfinite().all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_numbers_that_are_none_are_refused(
    kernels: Kernels, which: int, dtype: torch.dtype, bad: float
) -> None:
    tensors = Shape(4, 2, 30, 10, 24).sequence(0, dtype)
    tensors[which][1, 7, 11] = bad
    query, key, value = tensors
    with pytest.raises(ReadingError, match="NaN"):
        kernels.prefill_attention(query, key, value)
    if which < 2:
        with pytest.raises(ReadingError, match="NaN"):
            kernels.score_rows(query, key, heads=range(4), columns=(0, 40))
    linear = kernels.pack_linear(torch.randn(5, 24), outliers=[3])
    for column in (3, 4):
        rows = torch.randn(7, 24).to(dtype)
        rows[2, column] = bad
        with pytest.raises(ReadingError, match="NaN"):
            kernels.linear_w8a8(rows, linear)


EMPTY = torch.ones(2, 0, 8)
ONES = torch.ones(2, 3, 8)


@pytest.mark.parametrize(
    ("query", "key", "value", "cause"),
    [
        (torch.ones(4, 3, 8), torch.ones(3, 3, 8), torch.ones(3, 3, 8), "do not fit keys"),
        (ONES, torch.ones(2, 3, 4), torch.ones(2, 3, 4), "do not fit keys"),
        (ONES, torch.ones(2, 2, 8), torch.ones(2, 2, 8), "3 rows do not fit 2 columns"),
        (ONES, ONES, torch.ones(2, 4, 8), "values"),
        (ONES, ONES, ONES.bfloat16(), "values"),
        (ONES, ONES.bfloat16(), ONES.bfloat16(), "differ in type"),
        (ONES.double(), ONES.double(), ONES.double(), "differ in type"),
        (ONES.int(), ONES.int(), ONES.int(), "differ in type"),
        (ONES[0], ONES[0], ONES[0], "3-d"),
        (EMPTY, ONES, ONES, "3-d"),
        (EMPTY, EMPTY, EMPTY, "3-d"),
    ],
)
def test_what_does_not_fit_is_refused(
    kernels: Kernels, query: Tensor, key: Tensor, value: Tensor, cause: str
) -> None:
    with pytest.raises(ReadingError, match=cause):
        kernels.prefill_attention(query, key, value)
    if value is not ONES and "values" in cause:
        return
    with pytest.raises(ReadingError, match=cause):
        kernels.score_rows(query, key, heads=[0], columns=(0, 1))


def test_heads_columns_weights_and_lengths_must_exist(kernels: Kernels) -> None:
    query, key, value = Shape(4, 2, 3, 2, 8).sequence()
    with pytest.raises(ReadingError, match="heads"):
        kernels.score_rows(query, key, heads=[4], columns=(0, 5))
    for columns in ((0, 6), (2, 2), (-1, 3)):
        with pytest.raises(ReadingError, match="columns"):
            kernels.score_rows(query, key, heads=[0], columns=columns)
    with pytest.raises(ReadingError, match="weights"):
        kernels.score_rows(query, key, heads=[0], columns=(0, 5), row_weights=torch.ones(2))
    with pytest.raises(ReadingError, match="sums"):
        kernels.score_cached(query, key, torch.ones(4, 2), heads=[0], columns=(0, 5))
    for lengths in ([], [2], [0, 3], [4, -1]):
        with pytest.raises(ReadingError, match="windows of"):
            kernels.prefill_windows(query, key, value, lengths)
    with pytest.raises(ReadingError, match="have 2 keys"):
        kernels.attend_cached(query, [key, key], [value], [1, 2])
    with pytest.raises(ReadingError, match="inputs"):
        kernels.linear_w8a8(torch.ones(2, 3), kernels.pack_linear(torch.ones(2, 4)))


def test_no_rows_are_no_outputs(kernels: Kernels) -> None:
    linear = kernels.pack_linear(torch.ones(3, 4))
    assert kernels.linear_w8a8(torch.ones(0, 4), linear).shape == (0, 3)


def test_a_row_over_a_million_keys(kernels: Kernels) -> None:
    query, key, value = torch.zeros(1, 1, 4), torch.ones(1, 1 << 20, 4), torch.ones(1, 1 << 20, 4)
    attended = kernels.prefill_attention(query, key, value)
    torch.testing.assert_close(attended, torch.ones(1, 1, 4), rtol=1e-4, atol=1e-4)
    scores = kernels.score_rows(query, key, heads=[0], columns=(1000, 2000))
    torch.testing.assert_close(scores, torch.full((1, 1000), 2.0**-20), rtol=1e-4, atol=0)


def test_two_threads_get_the_bits_of_one(kernels: Kernels) -> None:
    inputs = [
        Shape(14, 2, 200 + 50 * place, 30, 64).sequence(place, torch.bfloat16) for place in range(4)
    ]
    linear = kernels.pack_linear(torch.randn(300, 64))

    def read(place: int) -> list[Tensor]:
        query, key, value = inputs[place]
        return [
            kernels.prefill_attention(query, key, value),
            kernels.score_rows(query, key, heads=range(14), columns=(5, 100)),
            *kernels.attend_cached(query, [key], [value], [query.shape[1]]),
            kernels.linear_w8a8(query[0], linear),
        ]

    alone = [read(place) for place in range(4)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(read, [0, 1, 2, 3] * 3))
    for place, results in enumerate(together):
        for found, expected in zip(results, alone[place % 4], strict=True):
            assert torch.equal(found, expected)
