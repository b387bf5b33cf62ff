"""A decoder's last layer, as far as its attention probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..cancellation import Cancellation
from ..errors import ReadingError
from ..kernels.tiers import Kernels, select
from .branch_attention import attend_sequence
from .converted_model import ConvertedModel
from .decoder import compute_dtype
from .layer_stack import LayerStack


@dataclass(frozen=True, slots=True)
class LastAttention:
    """Attention of all heads of the last layer over one window, of which no whole map is made."""

    query: Tensor
    """``(H, N, D)``"""
    key: Tensor
    """``(G, N, D)``"""
    kernels: Kernels

    def row_mass(self, rows: tuple[int, int], columns: tuple[int, int]) -> Tensor:
        """``(rows,)`` float32: what each row gives to the columns, summed over heads.

        Holds the rows' own part of the map, ``(H, rows, N)``.
        """
        first, last = rows
        query, key = self.query[:, first:last].float(), self.key[:, :last].float()
        key = key.repeat_interleave(len(query) // len(key), dim=0)
        logits = query @ key.transpose(1, 2) / math.sqrt(query.shape[-1])
        hidden = torch.arange(last) > torch.arange(first, last).unsqueeze(1)
        attention = logits.masked_fill_(hidden, -math.inf).softmax(dim=-1)
        return attention[:, :, slice(*columns)].sum(dim=(0, 2))

    def column_sums(
        self, rows: tuple[int, int], columns: tuple[int, int], row_weights: Tensor
    ) -> Tensor:
        """``(columns,)`` float32: what each column gets from the weighted rows and all heads."""
        first, last = rows
        scores = self.kernels.score_rows(
            self.query[:, first:last],
            self.key[:, :last],
            heads=range(len(self.query)),
            columns=columns,
            row_weights=row_weights,
        )
        return scores.sum(dim=0)


class LastLayer:
    """A decoder with all its layers; of the last one only queries and keys are computed.

    Raises:
        ReadingError: the last layer sees nearby text alone.
        ModelCorrupt: a tensor is missing or has the wrong shape.
    """

    def __init__(
        self,
        model: ConvertedModel,
        *,
        dtype: torch.dtype | None = None,
        kernels: Kernels | None = None,
    ) -> None:
        self.config = model.config
        last = self.config.layers - 1
        if self.config.columns_seen(last) is not None:
            raise ReadingError(
                f"the last layer of this '{self.config.architecture}' model sees nearby text alone",
                remedy="choose another model or method",
            )
        self._kernels = kernels or select()
        self._stack = LayerStack(model, last, dtype or compute_dtype(), whole=False)

    @torch.inference_mode()
    def attend(self, ids: Sequence[int], *, cancel: Cancellation) -> LastAttention:
        """Read one window.

        Raises:
            ReadingError: nothing to read, a foreign id, or more ids than the model's context.
            Cancelled: ``cancel`` was set meanwhile.
        """
        self._stack.check(ids, before=0)
        for step in self._stack.steps(ids, torch.arange(len(ids)), cancel):
            last = step
            if step.value is not None:
                step.attended = attend_sequence(
                    step.query, step.key, step.value, self._kernels, step.columns_seen
                )
        return LastAttention(last.query, last.key, self._kernels)
