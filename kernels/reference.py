"""The torch tier: always there, and the oracle for the others.

Tensors are of one sequence: queries ``(query heads, rows, head width)``, keys and values
``(key heads, columns, head width)``. Query head ``h`` belongs to key head
``h // (query heads // key heads)`` (grouped queries, arXiv 2305.13245). In causal functions the
rows are the last ones of the sequence, so that row ``i`` of ``rows`` sees the columns up to
``columns - rows + i``. All functions take float32, bfloat16 and float16 and any strides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from .block_sparse import block_visibility, check_blocks
from .checks import (
    check_attention,
    check_cached,
    check_causal,
    check_elsewhere,
    check_finite,
    check_lengths,
    check_scores,
    windows,
)
from .quantization import QuantizedLinear, check_rows
from .quantization import quantize_linear as pack_linear

__all__ = [
    "INT8_IS_FAST",
    "NAME",
    "attend_cached",
    "linear_w8a8",
    "pack_linear",
    "prefill_attention",
    "prefill_windows",
    "score_cached",
    "score_rows",
]

NAME = "torch"
INT8_IS_FAST = False

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
"""The one in torch that also returns the logarithm of each row's sum."""


def prefill_attention(
    query: Tensor, key: Tensor, value: Tensor, *, blocks: Tensor | None = None
) -> Tensor:
    """Causal grouped-query attention of the last rows of a sequence.

    Args:
        query: ``(H, M, D)``.
        key, value: ``(G, N, D)`` of the same type, ``G`` divides ``H``, ``N >= M``.
        blocks: which blocks of columns the rows of a block see, as
            :func:`~.block_sparse.choose_blocks` makes them; all when not given.

    Returns:
        ``(H, M, D)`` of the same type.

    Raises:
        ReadingError: shapes or types do not fit together, or a number is not finite.
    """
    check_causal(query, key, value)
    check_finite(query, "queries")
    check_finite(key, "keys")
    rows, columns = query.shape[1], key.shape[1]
    mask = None
    if blocks is not None:
        check_blocks(blocks, query, key)
        mask = block_visibility(blocks, rows, columns)
    elif 1 < rows < columns:
        mask = torch.ones(rows, columns, dtype=torch.bool, device=query.device)
        mask = mask.tril(diagonal=columns - rows)
    attended = scaled_dot_product_attention(
        query[None],
        key[None],
        value[None],
        attn_mask=mask,
        is_causal=mask is None and rows == columns,
        enable_gqa=query.shape[0] != key.shape[0],
    )[0]
    return check_finite(attended, "attended values")


def prefill_windows(
    query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Causal attention of windows that lie one behind the other and see themselves alone.

    Args:
        query: ``(H, M, D)``; ``key``, ``value``: ``(G, M, D)`` of the same type.
        lengths: rows of each window; their sum is ``M``.

    Returns:
        ``(H, M, D)`` of the same type, and ``(H, M)`` float32: the natural logarithm of each row's
        sum of exponentials, by which what the rows also see elsewhere can be merged, as partial
        results are in FlashAttention (arXiv 2205.14135).

    Raises:
        ReadingError: as :func:`prefill_attention`, or the lengths do not make ``M``.
    """
    check_lengths(query, lengths)
    check_causal(query, key, value)
    attended, sums = [], []
    for rows in windows(lengths):
        part, logarithms = _flash(
            query[None, :, rows], key[None, :, rows], value[None, :, rows], 0.0, True
        )
        attended.append(part[0])
        sums.append(logarithms[0])
    return _checked_parts(attended, sums)


def attend_cached(
    query: Tensor, keys: Sequence[Tensor], values: Sequence[Tensor], lengths: Sequence[int]
) -> tuple[Tensor, Tensor]:
    """Attention of rows to all columns of a window that was read before, for many windows.

    What the rows also see is merged by the sums, as in :func:`prefill_windows`.

    Args:
        query: ``(H, M, D)``: the rows of the first window, then those of the second, and so on.
        keys, values: of each window ``(G, N, D)`` of the same type; ``N`` may differ.
        lengths: how many rows each window has; their sum is ``M``.

    Returns:
        ``(H, M, D)`` of the same type, and ``(H, M)`` float32: the natural logarithm of each row's
        sum of exponentials.

    Raises:
        ReadingError: shapes or types do not fit together, or a number is not finite.
    """
    check_cached(query, keys, values, lengths)
    attended, sums = [], []
    for place, key, value in zip(windows(lengths), keys, values, strict=True):
        rows = query[:, place]
        # Rows that all see the same: those of a key head's queries are as good as one head's.
        folded = rows.reshape(key.shape[0], -1, key.shape[2])
        part, logarithms = _flash(folded[None], key[None], value[None], 0.0, False)
        attended.append(part[0].reshape(rows.shape))
        sums.append(logarithms[0].reshape(rows.shape[:2]))
    return _checked_parts(attended, sums)


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
        ReadingError: shapes, types, heads or columns do not fit, or a number is not finite.
    """
    check_causal(query, key)
    rows, total = query.shape[1], key.shape[1]
    weights = check_scores(query, total, heads, columns, row_weights)
    check_finite(query, "queries")
    check_finite(key, "keys")
    group = query.shape[0] // key.shape[0]
    visible = torch.arange(total, device=query.device) <= torch.arange(
        total - rows, total, device=query.device
    ).unsqueeze(1)
    scores = torch.empty(len(heads), columns[1] - columns[0], device=query.device)
    for place, head in enumerate(heads):
        logits = query[head].float() @ key[head // group].float().T / math.sqrt(query.shape[-1])
        probabilities = logits.masked_fill_(~visible, -math.inf).softmax(dim=-1)
        scores[place] = weights @ probabilities[:, columns[0] : columns[1]]
    return check_finite(scores, "scores")


def score_cached(
    query: Tensor,
    key: Tensor,
    elsewhere: Tensor,
    *,
    heads: Sequence[int],
    columns: tuple[int, int],
    row_weights: Tensor | None = None,
) -> Tensor:
    """How much rows attend to columns of a window that was read before and that they see wholly.

    Args:
        query: ``(H, M, D)``.
        key: ``(G, N, D)`` of the same type, ``G`` divides ``H``.
        elsewhere: ``(H, M)`` float32: the natural logarithm of each row's sum of exponentials over
            the columns outside this window, which its softmax also covers.
        heads: query heads to score.
        columns: ``(start, stop)`` in ``[0, N]``.
        row_weights: ``(M,)``; the mean over the rows when not given.

    Returns:
        ``(len(heads), stop - start)`` in float32.

    Raises:
        ReadingError: shapes, types, heads or columns do not fit, or a number is not finite.
    """
    check_attention(query, key)
    check_elsewhere(query, elsewhere)
    weights = check_scores(query, key.shape[1], heads, columns, row_weights)
    group = query.shape[0] // key.shape[0]
    scores = torch.empty(len(heads), columns[1] - columns[0], device=query.device)
    for key_head in sorted({head // group for head in heads}):
        places = [place for place, head in enumerate(heads) if head // group == key_head]
        members = [heads[place] for place in places]
        rows = query[members].float() / math.sqrt(query.shape[-1])
        logits = rows @ key[key_head].float().T
        sums = torch.logaddexp(logits.logsumexp(dim=-1), elsewhere[members].float())
        shares = (logits[..., columns[0] : columns[1]] - sums.unsqueeze(-1)).exp_()
        scores[places] = weights @ shares
    return check_finite(scores, "scores")


def linear_w8a8(rows: Tensor, linear: QuantizedLinear) -> Tensor:
    """``rows @ weight.T + bias`` in int8, with a scale for each row (as in LLM.int8()).

    Args:
        rows: ``(M, inputs)``.
        linear: as :func:`pack_linear` of the same tier made it.

    Returns:
        ``(M, outputs)`` of the same type.

    Raises:
        ReadingError: shapes or types do not fit, or a number is not finite.
    """
    check_rows(rows, linear)
    numbers = check_finite(rows, "rows").float()
    apart = numbers[:, linear.outliers.long()]
    numbers = numbers.index_fill(1, linear.outliers.long(), 0.0)
    largest = numbers.abs().amax(dim=1, keepdim=True)
    factors = torch.where(largest > 1e-30, torch.full_like(largest, 127) / largest, 0.0)
    quantized = (numbers * factors).round_()
    # float64 holds the sums of int8 products exactly.
    products = (quantized.double() @ linear.weights.double().T).float()
    result = products * (largest / 127 * linear.scales) + apart @ linear.outlier_weights
    return (result if linear.bias is None else result + linear.bias).to(rows.dtype)


def _checked_parts(attended: list[Tensor], sums: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Those of windows one behind the other, joined along the rows."""
    values, logarithms = torch.cat(attended, dim=1), torch.cat(sums, dim=1)
    check_finite(logarithms, "sums")
    return check_finite(values, "attended values"), logarithms
