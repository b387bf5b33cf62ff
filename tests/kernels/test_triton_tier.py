"""The Triton programs against softmax attention in float64: on a GPU, else in the interpreter.

The interpreter multiplies bfloat16 as if it were integers; half precision is tried as float16 there.
"""

from __future__ import annotations

import math
import os

import pytest
import torch
from torch import Tensor

from leadline.errors import ReadingError
from leadline.kernels import reference
from leadline.kernels.block_sparse import block_visibility, choose_blocks
from leadline.kernels.tiers import Kernels

from .oracle import Shape, causal_probabilities, logits, weighted

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu":
    # Triton reads it when it is imported.
    os.environ["TRITON_INTERPRET"] = "1"
pytest.importorskip("triton", reason="triton is in the extra 'gpu'")

TYPES = [torch.float32, torch.float16] + ([torch.bfloat16] if DEVICE == "cuda" else [])
ROUNDING = {torch.float32: 2e-6, torch.float16: 5e-4, torch.bfloat16: 4e-3}
SHAPES = [
    Shape(4, 2, 70, 80, 64),
    Shape(2, 1, 5, 0, 3),
    Shape(3, 3, 1, 200, 80),
    Shape(2, 1, 129, 0, 128),
]


@pytest.fixture(scope="module")
def triton() -> Kernels:
    from leadline.kernels.triton_tier import TritonKernels

    return TritonKernels()


def placed(tensors: list[Tensor]) -> list[Tensor]:
    return [tensor.to(DEVICE) for tensor in tensors]


def assert_close(found: Tensor, exact: Tensor, rounding: float) -> None:
    torch.testing.assert_close(found.cpu().double(), exact, rtol=2 * rounding, atol=2 * rounding)


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_attention_and_scores(triton: Kernels, shape: Shape, dtype: torch.dtype) -> None:
    query, key, value = shape.sequence(1, dtype)
    probabilities = causal_probabilities(query, key)
    query, key, value = placed([query, key, value])
    found = triton.prefill_attention(query, key, value)
    assert found.dtype == dtype
    assert_close(found, weighted(probabilities, value.cpu()), ROUNDING[dtype])
    heads, columns = [shape.heads - 1, 0], (key.shape[1] // 3, key.shape[1])
    weights = torch.rand(shape.rows)
    scores = triton.score_rows(
        query, key, heads=heads, columns=columns, row_weights=weights.to(DEVICE)
    )
    exact = torch.einsum("m,hmn->hn", weights.double(), probabilities[heads])
    assert_close(scores, exact[:, columns[0] :], 2e-5)


@pytest.mark.parametrize("dtype", TYPES)
def test_cached_windows(triton: Kernels, dtype: torch.dtype) -> None:
    lengths = [3, 1]
    caches = [Shape(4, 2, 20, 50 * place, 32).sequence(place, dtype) for place in range(2)]
    query = Shape(4, 1, 4, 0, 32).sequence(9, dtype)[0]
    keys, values = [cache[1] for cache in caches], [cache[2] for cache in caches]
    found, sums = triton.attend_cached(query.to(DEVICE), placed(keys), placed(values), lengths)
    exact_keys, exact_values = [key.float() for key in keys], [value.float() for value in values]
    torchs, torch_sums = reference.attend_cached(query.float(), exact_keys, exact_values, lengths)
    assert_close(found, torchs.double(), ROUNDING[dtype])
    assert_close(sums, torch_sums.double(), 1e-4)
    elsewhere = torch.randn(4, 4)
    query_there, key_there, elsewhere_there = placed([query, keys[1], elsewhere])
    scores = triton.score_cached(
        query_there, key_there, elsewhere_there, heads=[2, 1], columns=(5, 60)
    )
    whole = torch.cat([logits(query, keys[1]), elsewhere.double().unsqueeze(-1)], dim=-1)
    assert_close(scores, whole.softmax(dim=-1).mean(dim=1)[[2, 1], 5:60], 2e-5)


def test_windows_see_themselves_alone(triton: Kernels) -> None:
    query, key, value = placed(Shape(2, 1, 90, 0, 16).sequence())
    found, sums = triton.prefill_windows(query, key, value, [20, 70])
    alone, alone_sums = triton.prefill_windows(query[:, 20:], key[:, 20:], value[:, 20:], [70])
    torch.testing.assert_close(found[:, 20:], alone)
    torch.testing.assert_close(sums[:, 20:], alone_sums)


def test_skipped_blocks_are_not_seen(triton: Kernels) -> None:
    query, key, value = Shape(2, 1, 400, 130, 16).sequence()
    blocks = choose_blocks(query, key, sink=64, local=100, chosen=0)
    visible = block_visibility(blocks, 400, 530)
    assert not blocks.all()
    found = triton.prefill_attention(*placed([query, key, value]), blocks=blocks.to(DEVICE))
    assert_close(found, weighted(causal_probabilities(query, key, visible), value), 2e-6)


def test_int8_products(triton: Kernels) -> None:
    rows, weight, bias = torch.randn(20, 70), torch.randn(40, 70), torch.randn(40)
    linear = triton.pack_linear(*placed([weight, bias]), outliers=[3, 60])
    found = triton.linear_w8a8(rows.to(DEVICE), linear)
    expected = reference.linear_w8a8(rows, reference.pack_linear(weight, bias, outliers=[3, 60]))
    torch.testing.assert_close(found.cpu(), expected, rtol=1e-4, atol=1e-4)
    assert triton.linear_w8a8(rows[:0].to(DEVICE), linear).shape == (0, 40)


def test_numbers_that_are_none_are_refused(triton: Kernels) -> None:
    for which in range(3):
        tensors = placed(Shape(2, 1, 9, 4, 16).sequence())
        tensors[which][0, 3, 5] = math.nan
        with pytest.raises(ReadingError, match="NaN"):
            triton.prefill_attention(*tensors)
