"""What a decoder expects next: log probabilities of given ids behind its last layer."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from ..cancellation import Cancellation
from .converted_model import ConvertedModel
from .decoder_layer import Norm, checked_tensor

_VOCABULARY_SLICE, _STEP = 16384, 512
"""Ids and rows whose logits are held at once: 32 MiB of float32."""


@dataclass(frozen=True, slots=True)
class OutputHead:
    """The last norm and the projection to the vocabulary."""

    norm: Norm
    weight: Tensor
    """``(vocabulary, width)``"""

    @classmethod
    def load(cls, model: ConvertedModel, embedding: Tensor, dtype: torch.dtype) -> OutputHead:
        """The head of a model; ``embedding`` serves as its projection where it has none.

        Raises:
            ModelCorrupt: a tensor is missing or has the wrong shape.
        """
        tensors, shape = model.output(), tuple(embedding.shape)
        norm = checked_tensor(tensors, "output_norm.weight", shape[1:]).to(dtype)
        weight = embedding
        if "output.weight" in tensors:
            weight = checked_tensor(tensors, "output.weight", shape)
        return cls(Norm(norm, model.config.norm_epsilon), weight)

    def log_probabilities(self, hidden: Tensor, ids: Tensor, cancel: Cancellation) -> Tensor:
        """``(rows,)`` float32: of ``ids[i]`` after the row ``hidden[i]``, ``(width,)``.

        The vocabulary is gone through in slices, so that no row has all its logits at once.

        Raises:
            Cancelled: ``cancel`` was set meanwhile.
        """
        normed = self.norm(hidden)
        sums = torch.full((len(ids),), -math.inf)
        chosen = torch.empty(len(ids))
        for first in range(0, len(self.weight), _VOCABULARY_SLICE):
            weight = self.weight[first : first + _VOCABULARY_SLICE].to(hidden.dtype)
            for start in range(0, len(ids), _STEP):
                cancel.check()
                rows = slice(start, start + _STEP)
                logits = linear(normed[rows], weight).float()
                sums[rows] = torch.logaddexp(sums[rows], logits.logsumexp(dim=-1))
                place = ids[rows] - first
                inside = ((place >= 0) & (place < len(weight))).nonzero().squeeze(1)
                chosen[start + inside] = logits[inside, place[inside]]
        return chosen - sums
