"""Blocks of causal attention that are worth computing, in windows so long that most are not.

A block is ``BLOCK_ROWS`` rows by ``BLOCK_COLUMNS`` columns. Kept are the first columns
(attention sinks, arXiv 2309.17453), the nearby ones, and those that an estimate finds: mean queries
of a block times mean keys of a block, as in MInference (arXiv 2407.02490) and in coarser form than
SALE (arXiv 2505.24179). A head may also be given its sink and its nearby columns alone
(DuoAttention, arXiv 2410.10819).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..errors import ReadingError
from .checks import check_causal, describe
from .library import BLOCK_COLUMNS, BLOCK_ROWS


def choose_blocks(
    query: Tensor,
    key: Tensor,
    *,
    sink: int = 128,
    local: int = 1024,
    chosen: int = 8,
    streaming: Sequence[int] = (),
) -> Tensor:
    """The blocks of columns that each block of rows of each head sees.

    Args:
        query: ``(H, M, D)``, the last ``M`` rows of the sequence.
        key: ``(G, N, D)``.
        sink: columns at the beginning that all rows see.
        local: columns before its own that a row sees at least.
        chosen: further blocks for each block of rows, those with the highest estimates.
        streaming: heads that are given no further blocks.

    Returns:
        ``(H, ceil(M / BLOCK_ROWS), ceil(N / BLOCK_COLUMNS))`` bool.

    Raises:
        ReadingError: shapes or types do not fit together, or a number is negative.
    """
    check_causal(query, key)
    if min(sink, local, chosen) < 0:
        raise ReadingError(f"sink {sink}, local {local} and chosen {chosen} must not be negative")
    heads, rows, columns = query.shape[0], query.shape[1], key.shape[1]
    query_means = _block_means(query, BLOCK_ROWS)
    key_means = _block_means(key, BLOCK_COLUMNS)
    down, across = query_means.shape[1], key_means.shape[1]
    first_row = torch.arange(down, device=query.device) * BLOCK_ROWS + columns - rows
    last_row = (first_row + BLOCK_ROWS).clamp_max(columns) - 1
    start = torch.arange(across, device=query.device) * BLOCK_COLUMNS
    begun = start <= last_row.unsqueeze(1)
    near = (start + BLOCK_COLUMNS > (first_row - local).unsqueeze(1)) & begun
    kept = near | (start < sink) & begun
    blocks = kept.expand(heads, down, across).clone()
    if chosen:
        per_key = query_means.reshape(key.shape[0], -1, down, query.shape[2])
        estimates = torch.einsum("ghmd,gnd->ghmn", per_key, key_means).flatten(0, 1)
        estimates.masked_fill_(kept | ~begun, -math.inf)
        best = estimates.topk(min(chosen, across), dim=-1)
        blocks |= torch.zeros_like(blocks).scatter_(-1, best.indices, best.values > -math.inf)
    blocks[list(streaming)] = kept
    return blocks


def check_blocks(blocks: Tensor, query: Tensor, key: Tensor) -> None:
    """Raises ReadingError unless there is a choice for every block, and each row sees itself."""
    rows, columns = query.shape[1], key.shape[1]
    down, across = math.ceil(rows / BLOCK_ROWS), math.ceil(columns / BLOCK_COLUMNS)
    if blocks.shape != (query.shape[0], down, across) or blocks.dtype != torch.bool:
        raise ReadingError(f"blocks {describe(blocks)} do not fit {(len(query), down, across)}")
    own = (torch.arange(rows) + columns - rows) // BLOCK_COLUMNS
    if not bool(blocks[:, torch.arange(rows) // BLOCK_ROWS, own].all()):
        raise ReadingError("a row does not see its own block")


def block_visibility(blocks: Tensor, rows: int, columns: int) -> Tensor:
    """``(H, rows, columns)`` bool: what each row sees of the blocks, and causally."""
    wide = blocks.repeat_interleave(BLOCK_ROWS, dim=1)[:, :rows]
    wide = wide.repeat_interleave(BLOCK_COLUMNS, dim=2)[:, :, :columns]
    place = torch.arange(columns, device=blocks.device)
    return wide & (place <= place[columns - rows :].unsqueeze(1))


def _block_means(states: Tensor, size: int) -> Tensor:
    """``(heads, blocks, width)`` float32; the last block is that of fewer."""
    rows = states.shape[1]
    blocks = math.ceil(rows / size)
    filled = pad(states, (0, 0, 0, blocks * size - rows))
    parts = filled.reshape(len(states), blocks, size, -1)
    sizes = torch.full((blocks,), size, device=states.device)
    sizes[-1] = rows - (blocks - 1) * size
    return parts.sum(dim=2, dtype=torch.float32) / sizes.unsqueeze(-1)
