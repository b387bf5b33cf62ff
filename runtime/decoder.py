"""A Llama-shaped decoder in torch that reads and never writes.

Pre-norm blocks with rotary positions (RoFormer, arXiv 2104.09864), grouped-query attention
(arXiv 2305.13245), RMSNorm and SwiGLU; Qwen2's query/key/value biases and Qwen3's query/key norms
where the weights have them. Layers after the last one that is scored are neither loaded nor run,
there is no output projection, and of the last layer only queries and keys are computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import linear, rms_norm, silu

from ..cancellation import Cancellation
from ..errors import ModelCorrupt, ReadingError
from ..kernels.tiers import Kernels, select
from .gguf_weights import ConvertedModel, DecoderConfig
from .heads import Head

_STEP = 1024
"""Rows that go through a feed-forward block at once: bounds its memory and the wait for a stop."""


@dataclass(slots=True)
class Prefix:
    """Keys and values of text that was read once and can be asked many times.

    ``keys[l]`` and ``values[l]`` are ``(key heads, length, head width)``; the last scored layer has
    keys only.
    """

    length: int
    keys: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)


def compute_dtype() -> torch.dtype:
    """bfloat16 where the CPU multiplies it natively, else float32.

    Without such instructions torch's bfloat16 products are several times slower than float32.
    """
    capabilities = torch.cpu.get_capabilities()
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if native else torch.float32


class Decoder:
    """Layers ``0 … last_layer`` of a model.

    Raises:
        ReadingError: the model has no such layer.
        ModelCorrupt: a tensor is missing or has the wrong shape.
    """

    def __init__(
        self,
        model: ConvertedModel,
        *,
        last_layer: int,
        dtype: torch.dtype | None = None,
        kernels: Kernels | None = None,
    ) -> None:
        self.config = model.config
        if not 0 <= last_layer < self.config.layers:
            raise ReadingError(f"there is no layer {last_layer} among {self.config.layers}")
        self.last_layer = last_layer
        self.dtype = dtype or compute_dtype()
        self._kernels = kernels or select()
        shared = model.embedding()
        self._embedding = _tensor(
            shared, "token_embd.weight", (self.config.vocabulary, self.config.width)
        )
        self._inverse_frequencies = _inverse_frequencies(
            self.config, shared.get("rope_freqs.weight")
        )
        self._layers = [
            _Layer.of(self.config, model.layer(index), self.dtype, scored_only=index == last_layer)
            for index in range(last_layer + 1)
        ]

    def prefill(self, ids: Sequence[int], *, cancel: Cancellation | None = None) -> Prefix:
        """Read ``ids`` and keep their keys and values.

        Raises:
            ReadingError: nothing to read, a foreign id, or more ids than the model's context.
            Cancelled: ``cancel`` was set meanwhile.
        """
        prefix = Prefix(length=0)
        for _ in self._run(ids, prefix, keep=True, cancel=cancel or Cancellation()):
            pass
        prefix.length = len(ids)
        return prefix

    def score(
        self,
        prefix: Prefix,
        ids: Sequence[int],
        *,
        heads: Sequence[Head],
        columns: tuple[int, int],
        rows: tuple[int, int] | None = None,
        row_weights: Tensor | None = None,
        cancel: Cancellation | None = None,
    ) -> Tensor:
        """How much the heads attend from a question to the columns of what precedes it.

        Args:
            prefix: what was read; it is not changed.
            ids: the question, read after the prefix.
            heads: heads of layers up to ``last_layer``.
            columns: ``(start, stop)`` among the positions of prefix and question.
            rows: ``(start, stop)`` among ``ids``; all when not given.
            row_weights: ``(stop - start,)``; the mean over the rows when not given.

        Returns:
            ``(len(heads), columns)``, float32: weighted sums of attention probabilities.

        Raises:
            ReadingError: a head or the rows do not exist, or as :meth:`prefill`.
            Cancelled: ``cancel`` was set meanwhile.
        """
        first, last = rows or (0, len(ids))
        if not 0 <= first < last <= len(ids):
            raise ReadingError(f"rows {first}:{last} do not lie in {len(ids)} ids")
        if missing := [head for head in heads if not 0 <= head.layer <= self.last_layer]:
            raise ReadingError(
                f"layers up to {self.last_layer} are loaded, not that of {missing[0]}"
            )
        result = torch.empty(len(heads), columns[1] - columns[0])
        stop = prefix.length + last
        for layer, query, key in self._run(
            ids, prefix, keep=False, cancel=cancel or Cancellation()
        ):
            places = [place for place, head in enumerate(heads) if head.layer == layer]
            if places:
                result[places] = self._kernels.score_rows(
                    query[:, first:last],
                    key[:, :stop],
                    heads=[heads[place].head for place in places],
                    columns=columns,
                    row_weights=row_weights,
                )
        return result

    @torch.inference_mode()
    def _run(
        self, ids: Sequence[int], prefix: Prefix, *, keep: bool, cancel: Cancellation
    ) -> Iterator[tuple[int, Tensor, Tensor]]:
        """Run ``ids`` after ``prefix``; yields each layer's queries and its keys so far."""
        hidden = self._embedded(ids, prefix.length)
        cosine, sine = self._rotations(prefix.length, len(ids))
        for index, layer in enumerate(self._layers):
            cancel.check()
            normed = self._norm(hidden, layer.attn_norm)
            query = _rotate(self._queries(layer, normed), cosine, sine, self.config.adjacent_pairs)
            key = _rotate(self._keys(layer, normed), cosine, sine, self.config.adjacent_pairs)
            value = None
            if layer.attn_v is not None:
                value = _split(layer.attn_v(normed), self.config.key_heads)
            if keep:
                prefix.keys.append(key)
                if value is not None:
                    prefix.values.append(value)
            elif prefix.length:
                key = torch.cat([prefix.keys[index], key], dim=1)
                if value is not None:
                    value = torch.cat([prefix.values[index], value], dim=1)
            yield index, query, key
            if value is not None:
                attended = self._kernels.prefill_attention(query, key, value)
                hidden = hidden + layer.output(attended)
                self._feed_forward(layer, hidden, cancel)

    def _embedded(self, ids: Sequence[int], before: int) -> Tensor:
        if not ids:
            raise ReadingError("there is nothing to read")
        if before + len(ids) > self.config.context_length:
            raise ReadingError(
                f"{before + len(ids):,} tokens exceed the model's context of "
                f"{self.config.context_length:,}",
                remedy="read in smaller windows",
            )
        if not 0 <= min(ids) <= max(ids) < self.config.vocabulary:
            raise ReadingError(f"a token id is not among the model's {self.config.vocabulary:,}")
        return self._embedding[torch.tensor(ids)].to(self.dtype)

    def _rotations(self, start: int, count: int) -> tuple[Tensor, Tensor]:
        positions = torch.arange(start, start + count).float() / self.config.rope_scale
        angles = torch.outer(positions, self._inverse_frequencies)
        return angles.cos().to(self.dtype), angles.sin().to(self.dtype)

    def _queries(self, layer: _Layer, normed: Tensor) -> Tensor:
        query = _split(layer.attn_q(normed), self.config.heads)
        return query if layer.attn_q_norm is None else self._norm(query, layer.attn_q_norm)

    def _keys(self, layer: _Layer, normed: Tensor) -> Tensor:
        key = _split(layer.attn_k(normed), self.config.key_heads)
        return key if layer.attn_k_norm is None else self._norm(key, layer.attn_k_norm)

    def _norm(self, hidden: Tensor, weight: Tensor) -> Tensor:
        return rms_norm(hidden, weight.shape, weight, self.config.norm_epsilon)

    def _feed_forward(self, layer: _Layer, hidden: Tensor, cancel: Cancellation) -> None:
        """Adds the block's output to ``hidden`` in place."""
        for start in range(0, len(hidden), _STEP):
            cancel.check()
            rows = hidden[start : start + _STEP]
            rows += layer.feed_forward(self._norm(rows, layer.ffn_norm))


@dataclass(frozen=True, slots=True)
class _Linear:
    weight: Tensor
    bias: Tensor | None = None

    def __call__(self, rows: Tensor) -> Tensor:
        return linear(rows, self.weight, self.bias)


@dataclass(frozen=True, slots=True)
class _Layer:
    """Weights of one layer. The last scored layer ends at its keys: the rest is None."""

    attn_norm: Tensor
    attn_q: _Linear
    attn_k: _Linear
    attn_q_norm: Tensor | None
    attn_k_norm: Tensor | None
    attn_v: _Linear | None
    attn_output: _Linear | None
    ffn_norm: Tensor
    ffn_gate: _Linear | None
    ffn_up: _Linear | None
    ffn_down: _Linear | None

    @classmethod
    def of(
        cls,
        config: DecoderConfig,
        tensors: Mapping[str, Tensor],
        dtype: torch.dtype,
        *,
        scored_only: bool,
    ) -> _Layer:
        queries, keys = config.heads * config.head_width, config.key_heads * config.head_width
        width = config.width
        inner = tensors["ffn_up.weight"].shape[0] if "ffn_up.weight" in tensors else 0

        def vector(name: str, size: int) -> Tensor:
            return _tensor(tensors, name, (size,)).to(dtype)

        def optional(name: str, size: int) -> Tensor | None:
            return vector(name, size) if name in tensors else None

        def matrix(name: str, rows: int, columns: int) -> _Linear:
            weight = _tensor(tensors, f"{name}.weight", (rows, columns)).to(dtype)
            return _Linear(weight, optional(f"{name}.bias", rows))

        def unless_scored_only(name: str, rows: int, columns: int) -> _Linear | None:
            return None if scored_only else matrix(name, rows, columns)

        return cls(
            attn_norm=vector("attn_norm.weight", width),
            attn_q=matrix("attn_q", queries, width),
            attn_k=matrix("attn_k", keys, width),
            attn_q_norm=optional("attn_q_norm.weight", config.head_width),
            attn_k_norm=optional("attn_k_norm.weight", config.head_width),
            attn_v=unless_scored_only("attn_v", keys, width),
            attn_output=unless_scored_only("attn_output", width, queries),
            ffn_norm=vector("ffn_norm.weight", width),
            ffn_gate=unless_scored_only("ffn_gate", inner, width),
            ffn_up=unless_scored_only("ffn_up", inner, width),
            ffn_down=unless_scored_only("ffn_down", width, inner),
        )

    def output(self, attended: Tensor) -> Tensor:
        assert self.attn_output is not None
        return self.attn_output(attended.transpose(0, 1).flatten(1))

    def feed_forward(self, rows: Tensor) -> Tensor:
        assert self.ffn_gate is not None and self.ffn_up is not None and self.ffn_down is not None
        return self.ffn_down(silu(self.ffn_gate(rows)).mul_(self.ffn_up(rows)))


def _tensor(tensors: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    found = tensors.get(name)
    if found is None or tuple(found.shape) != shape:
        state = "is missing" if found is None else f"has the shape {tuple(found.shape)}"
        raise ModelCorrupt(f"tensor {name} {state}, expected {shape}")
    return found


def _inverse_frequencies(config: DecoderConfig, factors: Tensor | None) -> Tensor:
    """``(head width / 2,)``; ``factors`` are Llama 3.1's divisors for long contexts."""
    exponents = torch.arange(0, config.head_width, 2).float() / config.head_width
    frequencies = config.rope_base**-exponents
    return frequencies if factors is None else frequencies / factors


def _split(rows: Tensor, heads: int) -> Tensor:
    """``(rows, heads * width)`` to ``(heads, rows, width)``."""
    return rows.view(len(rows), heads, -1).transpose(0, 1)


def _rotate(states: Tensor, cosine: Tensor, sine: Tensor, adjacent_pairs: bool) -> Tensor:
    """Rotary positions: turns each pair of channels by its angle."""
    if adjacent_pairs:
        first, second = states[..., 0::2], states[..., 1::2]
    else:
        first, second = states.chunk(2, dim=-1)
    turned = (first * cosine - second * sine, second * cosine + first * sine)
    return torch.stack(turned, dim=-1).flatten(-2) if adjacent_pairs else torch.cat(turned, dim=-1)
