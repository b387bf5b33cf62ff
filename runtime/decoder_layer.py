"""One pre-norm block of a decoder: its weights and what is computed with them, row by row.

RMSNorm, grouped-query projections (arXiv 2305.13245) and a gated feed-forward block; Qwen2's
query/key/value biases, Qwen3's query/key norms and Gemma 3's norms behind each half where the
weights have them. How rows attend to each other is the caller's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import gelu, linear, rms_norm, silu

from ..cancellation import Cancellation
from ..errors import ModelCorrupt
from ..kernels.quantization import QuantizedLinear
from ..kernels.tiers import Kernels
from .converted_model import DecoderConfig
from .rotary import Rotations

_STEP = 1024
"""Rows that go through a feed-forward block at once: bounds its memory and the wait for a stop."""


@dataclass(frozen=True, slots=True)
class Linear:
    """``rows @ weight.T + bias``."""

    weight: Tensor
    bias: Tensor | None = None

    def __call__(self, rows: Tensor) -> Tensor:
        return linear(rows, self.weight, self.bias)


@dataclass(frozen=True, slots=True)
class Int8Linear:
    """The same with int8 weights and activations."""

    kernels: Kernels
    linear: QuantizedLinear

    def __call__(self, rows: Tensor) -> Tensor:
        return self.kernels.linear_w8a8(rows, self.linear)


Product = Linear | Int8Linear


@dataclass(frozen=True, slots=True)
class Norm:
    """Root-mean-square normalisation over the last dimension (arXiv 1910.07467)."""

    weight: Tensor
    epsilon: float

    def __call__(self, states: Tensor) -> Tensor:
        return rms_norm(states, self.weight.shape, self.weight, self.epsilon)


@dataclass(frozen=True, slots=True)
class _Rest:
    """What a layer has behind its keys."""

    values: Product
    output: Product
    attention_norm: Norm | None
    ffn_norm: Norm
    gate: Product
    up: Product
    down: Product
    ffn_output_norm: Norm | None
    activation: Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Layer:
    """Weights of one layer; of one that is only scored, those of queries and keys alone."""

    config: DecoderConfig
    columns_seen: int | None
    norm: Norm
    queries: Product
    keys: Product
    query_norm: Norm | None
    key_norm: Norm | None
    rest: _Rest | None

    @classmethod
    def load(
        cls,
        config: DecoderConfig,
        index: int,
        tensors: Mapping[str, Tensor],
        dtype: torch.dtype,
        *,
        scored_only: bool,
        int8: Kernels | None = None,
    ) -> Layer:
        """The layer made of ``tensors``; with ``int8``, the kernels that multiply its matrices.

        Raises:
            ModelCorrupt: a tensor is missing or has the wrong shape.
        """
        weights = _Weights(tensors, dtype, config.norm_epsilon, int8)
        queries, keys = config.heads * config.head_width, config.key_heads * config.head_width
        return cls(
            config=config,
            columns_seen=config.columns_seen(index),
            norm=weights.norm("attn_norm", config.width),
            queries=weights.matrix("attn_q", queries, config.width),
            keys=weights.matrix("attn_k", keys, config.width),
            query_norm=weights.optional_norm("attn_q_norm", config.head_width),
            key_norm=weights.optional_norm("attn_k_norm", config.head_width),
            rest=None if scored_only else _rest(config, weights),
        )

    def project(self, hidden: Tensor, rotations: Rotations) -> tuple[Tensor, Tensor, Tensor | None]:
        """Queries ``(heads, rows, head width)``, keys and values ``(key heads, rows, head width)``
        of ``(rows, width)``; no values where the layer is only scored."""
        normed = self.norm(hidden)
        query = _split(self.queries(normed), self.config.heads)
        key = _split(self.keys(normed), self.config.key_heads)
        if self.query_norm is not None:
            query = self.query_norm(query)
        if self.key_norm is not None:
            key = self.key_norm(key)
        if self.config.query_scale != 1:
            query = query * self.config.query_scale
        query, key = rotations(query).transpose(0, 1), rotations(key).transpose(0, 1)
        if self.rest is None:
            return query, key, None
        value = _split(self.rest.values(normed), self.config.key_heads)
        return query, key, value.transpose(0, 1)

    def finish(self, hidden: Tensor, attended: Tensor, cancel: Cancellation) -> Tensor:
        """The layer's output ``(rows, width)``; ``attended`` is ``(rows, heads, head width)``.

        Raises:
            Cancelled: ``cancel`` was set meanwhile.
        """
        rest = self.rest
        assert rest is not None, "a layer that is only scored has no output"
        output = rest.output(attended.flatten(1))
        hidden = hidden + (output if rest.attention_norm is None else rest.attention_norm(output))
        for start in range(0, len(hidden), _STEP):
            cancel.check()
            rows = hidden[start : start + _STEP]
            normed = rest.ffn_norm(rows)
            output = rest.down(rest.activation(rest.gate(normed)).mul_(rest.up(normed)))
            rows += output if rest.ffn_output_norm is None else rest.ffn_output_norm(output)
        return hidden


@dataclass(frozen=True, slots=True)
class _Weights:
    tensors: Mapping[str, Tensor]
    dtype: torch.dtype
    epsilon: float
    int8: Kernels | None

    def vector(self, name: str, size: int) -> Tensor:
        return checked_tensor(self.tensors, name, (size,)).to(self.dtype)

    def matrix(self, name: str, rows: int, columns: int) -> Product:
        weight = checked_tensor(self.tensors, f"{name}.weight", (rows, columns))
        bias = self.vector(f"{name}.bias", rows) if f"{name}.bias" in self.tensors else None
        if self.int8 is None:
            return Linear(weight.to(self.dtype), bias)
        return Int8Linear(self.int8, self.int8.pack_linear(weight, bias))

    def norm(self, name: str, size: int) -> Norm:
        return Norm(self.vector(f"{name}.weight", size), self.epsilon)

    def optional_norm(self, name: str, size: int) -> Norm | None:
        return self.norm(name, size) if f"{name}.weight" in self.tensors else None


def _rest(config: DecoderConfig, weights: _Weights) -> _Rest:
    queries, keys = config.heads * config.head_width, config.key_heads * config.head_width
    up = weights.tensors.get("ffn_up.weight")
    inner = 0 if up is None else len(up)
    return _Rest(
        values=weights.matrix("attn_v", keys, config.width),
        output=weights.matrix("attn_output", config.width, queries),
        attention_norm=weights.optional_norm("post_attention_norm", config.width),
        ffn_norm=weights.norm("ffn_norm", config.width),
        gate=weights.matrix("ffn_gate", inner, config.width),
        up=weights.matrix("ffn_up", inner, config.width),
        down=weights.matrix("ffn_down", config.width, inner),
        ffn_output_norm=weights.optional_norm("post_ffw_norm", config.width),
        activation=_silu_in_place if config.activation == "silu" else _gelu_tanh,
    )


def checked_tensor(tensors: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    """The tensor of that name.

    Raises:
        ModelCorrupt: it is missing or has another shape.
    """
    found = tensors.get(name)
    if found is None or tuple(found.shape) != shape:
        state = "is missing" if found is None else f"has the shape {tuple(found.shape)}"
        raise ModelCorrupt(f"tensor {name} {state}, expected {shape}")
    return found


def _split(rows: Tensor, heads: int) -> Tensor:
    """``(rows, heads * width)`` to ``(rows, heads, width)``."""
    return rows.view(len(rows), heads, -1)


def _silu_in_place(states: Tensor) -> Tensor:
    return silu(states, inplace=True)


def _gelu_tanh(states: Tensor) -> Tensor:
    return gelu(states, approximate="tanh")
