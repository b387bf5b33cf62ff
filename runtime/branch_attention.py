"""Attention of rows that continue a cached prefix, and of rows that see only nearby columns.

Tensors are as in :mod:`..kernels.reference`: queries ``(query heads, rows, head width)``, keys and
values ``(key heads, columns, head width)``. A branch attends to its prefix and to itself apart; the
two parts are merged by the logarithms of their sums, so that a prefix's keys are neither copied nor
joined with those of its branches (as partial results are in FlashAttention, arXiv 2205.14135).
``columns_seen`` is how many columns a row of a local layer sees, its own included; None: all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..kernels.checks import windows
from ..kernels.tiers import Kernels

_flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
"""The one in torch that also returns the logarithm of each row's sum."""

_HIDDEN = -1e30
"""Finite: a row that sees nothing of a part keeps a finite, and tiny, sum."""


@dataclass(frozen=True, slots=True)
class Continued:
    """Branches that continue one prefix; their rows lie one behind the other."""

    lengths: Sequence[int]
    """Rows of each branch."""
    prefix: tuple[Tensor, Tensor] | None
    """Its keys and values, ``(G, N, D)``; None when nothing precedes."""

    @property
    def rows(self) -> int:
        return sum(self.lengths)


@dataclass(frozen=True, slots=True)
class ScoredRows:
    """The rows of a branch that are scored."""

    start: int
    """Where the branch starts among the rows of all branches."""
    rows: tuple[int, int]
    """``(start, stop)`` within the branch."""
    weights: Tensor | None
    """``(stop - start,)``; the mean when None."""


def attend_sequence(
    query: Tensor, key: Tensor, value: Tensor, kernels: Kernels, columns_seen: int | None
) -> Tensor:
    """Causal attention of the last rows of one sequence: ``(rows, query heads, head width)``."""
    rows, columns = query.shape[1], key.shape[1]
    if columns_seen is None or columns <= columns_seen:
        return kernels.prefill_attention(query, key, value).transpose(0, 1)
    before = columns - rows
    pieces = []
    for start in range(0, rows, columns_seen):
        stop = min(start + columns_seen, rows)
        first = max(0, before + start + 1 - columns_seen)
        seen = slice(first, before + stop)
        row = torch.arange(before + start, before + stop).unsqueeze(1)
        column = torch.arange(first, before + stop)
        visible = (column <= row) & (column > row - columns_seen)
        mask = _mask(visible, query.dtype)
        piece, _ = _partial(query[:, start:stop], key[:, seen], value[:, seen], mask=mask)
        pieces.append(piece.transpose(0, 1))
    return torch.cat(pieces)


def attend_sequences(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    lengths: Sequence[int],
    kernels: Kernels,
    columns_seen: int | None,
) -> Tensor:
    """:func:`attend_sequence` of whole sequences that lie one behind the other in the rows."""
    if columns_seen is None or max(lengths) <= columns_seen:
        return kernels.prefill_windows(query, key, value, lengths)[0].transpose(0, 1)
    parts = [
        attend_sequence(query[:, rows], key[:, rows], value[:, rows], kernels, columns_seen)
        for rows in windows(lengths)
    ]
    return torch.cat(parts)


def score_sequence(
    query: Tensor,
    key: Tensor,
    kernels: Kernels,
    *,
    heads: Sequence[int],
    columns: tuple[int, int],
    row_weights: Tensor | None,
    columns_seen: int | None,
) -> Tensor:
    """:func:`~..kernels.reference.score_rows`, of a layer that may be local."""
    rows, total = query.shape[1], key.shape[1]
    if columns_seen is None or total <= columns_seen:
        return kernels.score_rows(query, key, heads=heads, columns=columns, row_weights=row_weights)
    if row_weights is None:
        row_weights = torch.full((rows,), 1 / rows)
    group = query.shape[0] // key.shape[0]
    visible = _own_visible(rows, total, columns_seen)
    scores = torch.empty(len(heads), columns[1] - columns[0])
    for place, head in enumerate(heads):
        logits = query[head].float() @ key[head // group].float().T / math.sqrt(query.shape[-1])
        shares = logits.masked_fill_(~visible, _HIDDEN).softmax(dim=-1)
        scores[place] = row_weights.float() @ shares[:, columns[0] : columns[1]]
    return scores


def attend_branches(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    groups: Sequence[Continued],
    kernels: Kernels,
    columns_seen: int | None,
) -> Tensor:
    """Attention of branches, one behind the other in the rows, each after its prefix.

    Args:
        query: ``(H, M, D)``; ``key``, ``value``: ``(G, M, D)``, of all the branches' rows.
        groups: the branches of each prefix in turn; their rows sum to ``M``.

    Returns:
        ``(M, H, D)``.
    """
    parts = list(zip(windows([group.rows for group in groups]), groups, strict=True))
    if columns_seen is not None and any(_exceeds(group, columns_seen) for group in groups):
        pieces = [
            _attend_local(query[:, rows], key[:, rows], value[:, rows], group, columns_seen)
            for rows, group in parts
        ]
        return torch.cat(pieces)
    lengths = [length for group in groups for length in group.lengths]
    attended, sums = kernels.prefill_windows(query, key, value, lengths)
    after = [(rows, group.prefix) for rows, group in parts if group.prefix is not None]
    if not after:
        return attended.transpose(0, 1)
    rows = torch.cat([torch.arange(rows.start, rows.stop) for rows, _ in after])
    before, before_sums = kernels.attend_cached(
        query if len(rows) == query.shape[1] else query[:, rows],
        [keys for _, (keys, _) in after],
        [values for _, (_, values) in after],
        [rows.stop - rows.start for rows, _ in after],
    )
    share = torch.sigmoid(before_sums - sums[:, rows]).unsqueeze(-1)
    merged = torch.lerp(attended[:, rows].float(), before.float(), share)
    attended[:, rows] = merged.to(attended.dtype)
    return attended.transpose(0, 1)


def score_branches(
    query: Tensor,
    key: Tensor,
    prefix_key: Tensor,
    branches: Sequence[ScoredRows],
    kernels: Kernels,
    *,
    heads: Sequence[int],
    columns: tuple[int, int],
    columns_seen: int | None,
) -> list[Tensor]:
    """How much the scored rows of each branch attend to columns of the prefix.

    The probabilities are those of the softmax over the prefix and the branch.

    Args:
        query: ``(H, M, D)``; ``key``: ``(G, M, D)``, of all the branches' rows.
        prefix_key: ``(G, N, D)``.
        heads: query heads to score.
        columns: ``(start, stop)`` in ``[0, N]``.

    Returns:
        For each branch ``(len(heads), stop - start)`` in float32: weighted sums over its rows.
    """
    last = max(branch.rows[1] for branch in branches)
    if columns_seen is not None and prefix_key.shape[1] + last > columns_seen:
        return _score_local(query, key, prefix_key, branches, heads, columns, columns_seen)
    results = []
    for branch in branches:
        rows = slice(branch.start + branch.rows[0], branch.start + branch.rows[1])
        own = key[:, branch.start : rows.stop]
        scores = kernels.score_cached(
            query[:, rows],
            prefix_key,
            _own_sums(query[:, rows], own),
            heads=heads,
            columns=columns,
            row_weights=branch.weights,
        )
        results.append(scores)
    return results


def _own_sums(query: Tensor, key: Tensor) -> Tensor:
    """``(H, rows)``: logarithms of the sums over a branch of its last rows, ``(H, rows, D)``."""
    keys = key.float().repeat_interleave(len(query) // len(key), dim=0)
    logits = query.float() @ keys.transpose(1, 2) / math.sqrt(query.shape[-1])
    visible = _own_visible(query.shape[1], key.shape[1], None)
    return logits.masked_fill_(~visible, _HIDDEN).logsumexp(dim=-1)


def _score_local(
    query: Tensor,
    key: Tensor,
    prefix_key: Tensor,
    branches: Sequence[ScoredRows],
    heads: Sequence[int],
    columns: tuple[int, int],
    columns_seen: int,
) -> list[Tensor]:
    """:func:`score_branches` in a local layer."""
    group = query.shape[0] // key.shape[0]
    results = [torch.empty(len(heads), columns[1] - columns[0]) for _ in branches]
    for key_head in sorted({head // group for head in heads}):
        places = [place for place, head in enumerate(heads) if head // group == key_head]
        members = [heads[place] for place in places]
        before = prefix_key[key_head].float().T
        for branch, result in zip(branches, results, strict=True):
            first, last = branch.rows
            rows = query[members, branch.start + first : branch.start + last].float()
            rows = rows / math.sqrt(query.shape[-1])
            own = key[key_head, branch.start : branch.start + last].float().T
            logits, own_logits = rows @ before, rows @ own
            own_visible = _own_visible(last - first, last, columns_seen)
            own_logits.masked_fill_(~own_visible, _HIDDEN)
            offsets = torch.arange(first, last)
            visible = _prefix_visible(offsets, 0, prefix_key.shape[1], columns_seen)
            logits.masked_fill_(~visible, _HIDDEN)
            sums = torch.logaddexp(logits.logsumexp(dim=-1), own_logits.logsumexp(dim=-1))
            part = logits[..., columns[0] : columns[1]]
            shares = part.sub_(sums.unsqueeze(-1)).exp_()
            weights = branch.weights
            result[places] = shares.mean(dim=1) if weights is None else weights.float() @ shares
    return results


def _exceeds(group: Continued, columns_seen: int) -> bool:
    before = 0 if group.prefix is None else group.prefix[0].shape[1]
    return before + max(group.lengths) > columns_seen


def _attend_local(
    query: Tensor, key: Tensor, value: Tensor, group: Continued, columns_seen: int
) -> Tensor:
    """:func:`attend_branches` of one prefix, in a local layer: ``(M, H, D)``."""
    lengths, prefix = group.lengths, group.prefix
    own, sums = [], []
    start = 0
    for length in lengths:
        rows = slice(start, start + length)
        mask = None
        if length > columns_seen:
            mask = _mask(_own_visible(length, length, columns_seen), query.dtype)
        attended, total = _partial(
            query[:, rows], key[:, rows], value[:, rows], mask=mask, causal=mask is None
        )
        own.append(attended)
        sums.append(total)
        start += length
    result, total = torch.cat(own, dim=1), torch.cat(sums, dim=1)
    if prefix is None:
        return result.transpose(0, 1)
    prefix_key, prefix_value = prefix
    columns = prefix_key.shape[1]
    mask = None
    if columns + max(lengths) > columns_seen:
        places = torch.cat([torch.arange(length) for length in lengths])
        # At least one column, so that there is something to attend to.
        first = min(max(0, columns + 1 - columns_seen), columns - 1)
        prefix_key, prefix_value = prefix_key[:, first:], prefix_value[:, first:]
        mask = _mask(_prefix_visible(places, first, columns, columns_seen), query.dtype)
    before, before_total = _partial(query, prefix_key, prefix_value, mask=mask)
    share = torch.sigmoid(before_total - total).unsqueeze(-1)
    merged = torch.lerp(result.float(), before.float(), share)
    return merged.to(query.dtype).transpose(0, 1)


def _partial(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    *,
    mask: Tensor | None = None,
    causal: bool = False,
) -> tuple[Tensor, Tensor]:
    """Attended values ``(H, M, D)`` over these columns only, and ``(H, M)``: log of the sums."""
    folded = query
    if mask is None and not causal:
        # Rows that all see the same: those of a key head's queries are as good as one head's.
        folded = query.reshape(key.shape[0], -1, query.shape[2])
    attended, sums = _flash(folded[None], key[None], value[None], 0.0, causal, attn_mask=mask)
    return attended[0].reshape(query.shape), sums[0].reshape(query.shape[:2])


def _own_visible(rows: int, columns: int, columns_seen: int | None) -> Tensor:
    """``(rows, columns)``: what the last rows of a branch see of it."""
    row = torch.arange(columns - rows, columns).unsqueeze(1)
    column = torch.arange(columns)
    visible = column <= row
    return visible if columns_seen is None else visible & (column > row - columns_seen)


def _prefix_visible(places: Tensor, first: int, columns: int, columns_seen: int) -> Tensor:
    """``(rows, columns - first)``: what rows at ``places`` of their branches see of a prefix."""
    earliest = columns + places - columns_seen + 1
    return torch.arange(first, columns) >= earliest.unsqueeze(1)


def _mask(visible: Tensor, dtype: torch.dtype) -> Tensor:
    return torch.zeros(visible.shape, dtype=dtype).masked_fill_(~visible, _HIDDEN)
