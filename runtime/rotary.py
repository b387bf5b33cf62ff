"""Rotary positions (RoFormer, arXiv 2104.09864): each pair of channels is turned by an angle that
grows with the position."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .converted_model import DecoderConfig


@dataclass(frozen=True, slots=True)
class Rotations:
    """Cosines and sines ``(rows, head width / 2)`` of the angles at some positions."""

    cosine: Tensor
    sine: Tensor
    adjacent_pairs: bool

    def __call__(self, states: Tensor) -> Tensor:
        """``(rows, heads, head width)``, turned."""
        cosine, sine = self.cosine.unsqueeze(1), self.sine.unsqueeze(1)
        turned = torch.empty_like(states)
        first, second = self._pairs(states)
        turned_first, turned_second = self._pairs(turned)
        torch.mul(first, cosine, out=turned_first).addcmul_(second, sine, value=-1)
        torch.mul(second, cosine, out=turned_second).addcmul_(first, sine)
        return turned

    def _pairs(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Views of the first and of the second channel of each pair."""
        if self.adjacent_pairs:
            return states[..., 0::2], states[..., 1::2]
        half = states.shape[-1] // 2
        return states[..., :half], states[..., half:]


class Rotary:
    """The rotations of a model: of its ordinary layers, and of its local ones where these differ.

    ``factors``, ``(head width / 2,)``, are Llama 3.1's divisors for long contexts.
    """

    def __init__(self, config: DecoderConfig, factors: Tensor | None) -> None:
        self._adjacent_pairs = config.adjacent_pairs
        frequencies = _frequencies(config.rope_base, config.head_width) / config.rope_scale
        self._frequencies = frequencies if factors is None else frequencies / factors
        self._local = (
            self._frequencies
            if config.local_rope_base is None
            else _frequencies(config.local_rope_base, config.head_width)
        )

    def at(self, positions: Tensor, dtype: torch.dtype) -> tuple[Rotations, Rotations]:
        """For ordinary and for local layers, at ``positions``: ``(rows,)``."""
        ordinary = self._at(positions, self._frequencies, dtype)
        if self._local is self._frequencies:
            return ordinary, ordinary
        return ordinary, self._at(positions, self._local, dtype)

    def _at(self, positions: Tensor, frequencies: Tensor, dtype: torch.dtype) -> Rotations:
        angles = torch.outer(positions.float(), frequencies)
        return Rotations(angles.cos().to(dtype), angles.sin().to(dtype), self._adjacent_pairs)


def _frequencies(base: float, width: int) -> Tensor:
    exponents = torch.arange(0, width, 2).float() / width
    return torch.pow(base, -exponents)
