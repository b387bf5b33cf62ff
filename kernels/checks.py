"""What every tier refuses, so that none crashes and all say the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from ..errors import ReadingError

TYPES = (torch.float32, torch.bfloat16, torch.float16)


def check_attention(query: Tensor, key: Tensor, value: Tensor | None = None) -> None:
    """Raises ReadingError unless queries, keys and values fit together."""
    if query.ndim != 3 or key.ndim != 3 or 0 in (*query.shape, *key.shape):
        raise ReadingError(f"queries {describe(query)} and keys {describe(key)} are not 3-d")
    if query.dtype not in TYPES or query.dtype != key.dtype:
        raise ReadingError(f"queries {describe(query)} and keys {describe(key)} differ in type")
    if query.shape[2] != key.shape[2] or query.shape[0] % key.shape[0]:
        raise ReadingError(f"queries {describe(query)} do not fit keys {describe(key)}")
    if value is not None and (value.shape != key.shape or value.dtype != key.dtype):
        raise ReadingError(f"values {describe(value)} do not fit keys {describe(key)}")


def check_causal(query: Tensor, key: Tensor, value: Tensor | None = None) -> None:
    """As :func:`check_attention`, of rows that are the last of the columns' sequence."""
    check_attention(query, key, value)
    if query.shape[1] > key.shape[1]:
        raise ReadingError(f"{query.shape[1]} rows do not fit {key.shape[1]} columns")


def check_lengths(query: Tensor, lengths: Sequence[int]) -> None:
    """Raises ReadingError unless the rows are made of windows of these lengths."""
    if not lengths or min(lengths) < 1 or query.ndim != 3 or sum(lengths) != query.shape[1]:
        raise ReadingError(f"windows of {list(lengths)} rows do not make {describe(query)}")


def windows(lengths: Sequence[int]) -> list[slice]:
    """The rows of each window, of windows that lie one behind the other."""
    stops = list(accumulate(lengths))
    return [slice(stop - length, stop) for length, stop in zip(lengths, stops, strict=True)]


def check_cached(
    query: Tensor, keys: Sequence[Tensor], values: Sequence[Tensor], lengths: Sequence[int]
) -> None:
    """Raises ReadingError unless every window has its rows, its keys and its values."""
    check_lengths(query, lengths)
    if not len(keys) == len(values) == len(lengths):
        raise ReadingError(f"{len(lengths)} windows have {len(keys)} keys and {len(values)} values")
    for key, value in zip(keys, values, strict=True):
        check_attention(query, key, value)
        if key.shape[0] != keys[0].shape[0]:
            raise ReadingError(f"keys {describe(key)} do not fit keys {describe(keys[0])}")


def check_scores(
    query: Tensor,
    total: int,
    heads: Sequence[int],
    columns: tuple[int, int],
    row_weights: Tensor | None,
) -> Tensor:
    """The weights of the rows, ``(rows,)`` float32: the mean's, where none are given.

    Raises:
        ReadingError: heads, columns or weights do not exist.
    """
    start, stop = columns
    if not 0 <= start < stop <= total:
        raise ReadingError(f"columns {start}:{stop} do not lie in {total}")
    if not all(0 <= head < query.shape[0] for head in heads):
        raise ReadingError(f"heads {list(heads)} do not lie in {query.shape[0]}")
    rows = query.shape[1]
    if row_weights is None:
        return torch.full((rows,), 1 / rows, device=query.device)
    if row_weights.shape != (rows,):
        raise ReadingError(f"weights {describe(row_weights)} do not fit {rows} rows")
    return row_weights.float()


def check_elsewhere(query: Tensor, elsewhere: Tensor) -> None:
    """Raises ReadingError unless there is a logarithm of a sum for each row of each head."""
    if elsewhere.shape != query.shape[:2]:
        raise ReadingError(f"sums {describe(elsewhere)} do not fit queries {describe(query)}")


def check_finite(result: Tensor, name: str) -> Tensor:
    """``result``, unless a number of it is NaN or infinite: then ReadingError."""
    if not bool(result.isfinite().all()):
        raise not_finite(name)
    return result


def not_finite(name: str) -> ReadingError:
    """The error of numbers that are none."""
    return ReadingError(f"{name} are NaN or infinite", remedy="the weights may be damaged")


def describe(tensor: Tensor) -> str:
    """Shape and type."""
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
