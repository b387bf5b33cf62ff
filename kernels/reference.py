"""The torch tier: always there, and the oracle for the others.

Tensors are of one sequence: queries ``(query heads, rows, head width)``, keys and values
``(key heads, columns, head width)``. Query head ``h`` belongs to key head
``h // (query heads // key heads)``. The rows are the last ones of the sequence, so that row ``i``
of ``rows`` sees the columns up to ``columns - rows + i``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ..errors import ReadingError

NAME = "torch"

_DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def prefill_attention(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Causal grouped-query attention of the last rows of a sequence.

    Args:
        query: ``(H, M, D)``, float32, bfloat16 or float16.
        key, value: ``(G, N, D)`` of the same type, ``G`` divides ``H``, ``N >= M``.

    Returns:
        ``(H, M, D)`` of the same type.

    Raises:
        ReadingError: shapes or types do not fit together, or the result is not finite.
    """
    rows, columns = _checked(query, key)
    if value.shape != key.shape or value.dtype != key.dtype:
        raise ReadingError(f"values {_describe(value)} do not fit keys {_describe(key)}")
    mask = None
    if 1 < rows < columns:
        mask = torch.ones(rows, columns, dtype=torch.bool, device=query.device)
        mask = mask.tril(diagonal=columns - rows)
    attended = scaled_dot_product_attention(
        query[None],
        key[None],
        value[None],
        attn_mask=mask,
        is_causal=rows == columns,
        enable_gqa=query.shape[0] != key.shape[0],
    )[0]
    return _finite(attended, "attended values")


def score_rows(
    query: Tensor,
    key: Tensor,
    *,
    heads: Sequence[int],
    columns: tuple[int, int],
    row_weights: Tensor | None = None,
) -> Tensor:
    """How much the rows of each chosen head attend to each column: weighted sum over the rows.

    The probabilities are those of the whole causal softmax; only the part ``columns`` is returned.
    No map of all heads is ever held: memory is that of the rows of one key head's queries.

    Args:
        query: ``(H, M, D)``, the last ``M`` rows of the sequence.
        key: ``(G, N, D)`` of the same type, ``G`` divides ``H``, ``N >= M``.
        heads: query heads to score.
        columns: ``(start, stop)`` in ``[0, N]``.
        row_weights: ``(M,)``; the mean over the rows when not given.

    Returns:
        ``(len(heads), stop - start)`` in float32.

    Raises:
        ReadingError: shapes, types, heads or columns do not fit, or a score is not finite.
    """
    rows, total = _checked(query, key)
    start, stop = columns
    if not 0 <= start < stop <= total:
        raise ReadingError(f"columns {start}:{stop} do not lie in {total}")
    if not all(0 <= head < query.shape[0] for head in heads):
        raise ReadingError(f"heads {list(heads)} do not lie in {query.shape[0]}")
    if row_weights is None:
        row_weights = torch.full((rows,), 1 / rows, device=query.device)
    elif row_weights.shape != (rows,):
        raise ReadingError(f"weights {_describe(row_weights)} do not fit {rows} rows")
    group = query.shape[0] // key.shape[0]
    visible = torch.arange(total, device=query.device) <= torch.arange(
        total - rows, total, device=query.device
    ).unsqueeze(1)
    scores = torch.empty(len(heads), stop - start, device=query.device)
    for place, head in enumerate(heads):
        logits = query[head].float() @ key[head // group].float().T / math.sqrt(query.shape[-1])
        probabilities = logits.masked_fill_(~visible, -math.inf).softmax(dim=-1)
        scores[place] = row_weights.float() @ probabilities[:, start:stop]
    return _finite(scores, "scores")


def _checked(query: Tensor, key: Tensor) -> tuple[int, int]:
    """``(rows, columns)`` of tensors that fit together."""
    if query.ndim != 3 or key.ndim != 3 or 0 in (*query.shape, *key.shape):
        raise ReadingError(f"queries {_describe(query)} and keys {_describe(key)} are not 3-d")
    if query.dtype not in _DTYPES or query.dtype != key.dtype:
        raise ReadingError(f"queries {_describe(query)} and keys {_describe(key)} differ in type")
    if query.shape[2] != key.shape[2] or query.shape[0] % key.shape[0]:
        raise ReadingError(f"queries {_describe(query)} do not fit keys {_describe(key)}")
    if query.shape[1] > key.shape[1]:
        raise ReadingError(f"{query.shape[1]} rows do not fit {key.shape[1]} columns")
    _finite(query, "queries")
    _finite(key, "keys")
    return query.shape[1], key.shape[1]


def _finite(result: Tensor, name: str) -> Tensor:
    if not bool(result.isfinite().all()):
        raise ReadingError(f"{name} are NaN or infinite", remedy="the weights may be damaged")
    return result


def _describe(tensor: Tensor) -> str:
    return f"{tuple(tensor.shape)} {str(tensor.dtype).removeprefix('torch.')}"
