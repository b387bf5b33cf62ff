"""A window of pages that was read once: what it is known by, and its form in the store.

Keys and values are stored in bfloat16, or in int8 with a scale and a centre for each layer, head
and channel (keys by channel as in KIVI, arXiv 2402.02750). The centre is there because the biases
of Qwen's keys put some channels far from zero, where a symmetric code is coarse.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from ..errors import ReadingError
from .decoder import Prefix

FORMAT = 1
"""Version of the layout and of the arithmetic that made the numbers: one more, and every stored
window is stale."""

Precision = Literal["bf16", "int8"]

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_LEVELS = 127
_SMALLEST_SCALE = 1e-30


@dataclass(frozen=True, slots=True)
class WindowKey:
    """What a window's keys and values depend on: the model, how far it was run, and the tokens."""

    model_sha256: str
    last_layer: int
    dtype: str
    """What the decoder computed in: ``float32`` or ``bfloat16``."""
    ids_sha256: str
    whole: bool = False
    """Whether the last layer has values too, which only likelihoods need."""
    format: int = FORMAT

    @classmethod
    def of(
        cls,
        ids: Sequence[int],
        *,
        model_sha256: str,
        last_layer: int,
        dtype: torch.dtype,
        whole: bool = False,
    ) -> WindowKey:
        """The key of token ids read from position 0."""
        content = np.asarray(ids, dtype="<i8").tobytes()
        name = str(dtype).removeprefix("torch.")
        return cls(model_sha256, last_layer, name, hashlib.sha256(content).hexdigest(), whole)

    @property
    def torch_dtype(self) -> torch.dtype:
        """Raises ReadingError for a type that no decoder computes in."""
        if self.dtype not in _DTYPES:
            raise ReadingError(
                f"windows in {self.dtype} are not stored",
                remedy=f"compute in {' or '.join(_DTYPES)}",
            )
        return _DTYPES[self.dtype]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a window attracts when nothing is asked (content-free calibration, arXiv 2410.02642)."""

    asked: str
    """Names the heads and the content-free question; whoever asks otherwise must not use it."""
    scores: Tensor
    """``(heads, columns)``, float32."""


@dataclass(frozen=True, slots=True)
class StoredWindow:
    """Keys and values of a window, the pages it was made of, and its baseline if it has one.

    What the store hands out shares its memory: the tensors must not be changed.
    """

    prefix: Prefix
    page_ids: frozenset[str]
    baseline: Baseline | None = None


@dataclass(frozen=True, slots=True)
class PackedWindow:
    """A window as it is stored: ``keys`` and ``values`` as ``(layers, key heads, length, head
    width)``; in int8 also ``keys_scale``, ``keys_centre`` and those of the values, float32, with 1
    in place of the length; ``baseline`` if there is one."""

    tensors: Mapping[str, Tensor]
    page_ids: frozenset[str]
    columns: tuple[int, int] | None
    asked: str | None

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors.values())


def pack(key: WindowKey, window: StoredWindow, precision: Precision) -> PackedWindow:
    """A copy of ``window`` in the form it is stored in.

    Raises:
        ReadingError: the window is empty, of ragged shapes, or was not computed as the key says.
    """
    if precision not in get_args(Precision):
        raise ReadingError(f"windows are not stored in {precision}", remedy="choose bf16 or int8")
    prefix = window.prefix
    _check_shapes(key, prefix)
    tensors = _packed("keys", prefix.keys, precision)
    if prefix.values:
        tensors |= _packed("values", prefix.values, precision)
    if window.baseline is not None:
        tensors["baseline"] = window.baseline.scores.float().clone(
            memory_format=torch.contiguous_format
        )
    asked = window.baseline.asked if window.baseline else None
    return PackedWindow(tensors, window.page_ids, prefix.columns, asked)


def unpack(key: WindowKey, packed: PackedWindow) -> StoredWindow:
    """The window in the type that it was computed in; without a copy where it is stored in it."""
    tensors, dtype = packed.tensors, key.torch_dtype
    keys = _unpacked("keys", tensors, dtype)
    values = _unpacked("values", tensors, dtype) if "values" in tensors else []
    baseline = None
    if packed.asked is not None:
        baseline = Baseline(packed.asked, tensors["baseline"])
    prefix = Prefix(keys[0].shape[1], keys, values, packed.columns)
    return StoredWindow(prefix, packed.page_ids, baseline)


def _check_shapes(key: WindowKey, prefix: Prefix) -> None:
    if not prefix.keys or not prefix.length:
        raise ReadingError("an empty window cannot be stored")
    layers = key.last_layer + 1
    if len(prefix.keys) != layers or len(prefix.values) != layers - (not key.whole):
        raise ReadingError(
            f"{len(prefix.keys)} layers of keys and {len(prefix.values)} of values do not fit a "
            f"window that was read up to layer {key.last_layer}"
        )
    shape, dtype = prefix.keys[0].shape, key.torch_dtype
    for tensor in (*prefix.keys, *prefix.values):
        if tensor.ndim != 3 or tensor.shape != shape or shape[1] != prefix.length:
            raise ReadingError(
                f"keys and values {tuple(tensor.shape)} do not fit a window of {prefix.length} tokens"
            )
        if tensor.dtype != dtype:
            raise ReadingError(f"the window is in {tensor.dtype}, its key says {dtype}")


def _packed(name: str, layers: Sequence[Tensor], precision: Precision) -> dict[str, Tensor]:
    if precision == "bf16":
        return {name: torch.stack([layer.bfloat16() for layer in layers])}
    codes, scales, centres = zip(*map(_quantised, layers), strict=True)
    return {
        name: torch.stack(codes),
        f"{name}_scale": torch.stack(scales),
        f"{name}_centre": torch.stack(centres),
    }


def _quantised(states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """int8 codes of ``(key heads, length, head width)``, and each channel's scale and centre."""
    states = states.float()
    low, high = states.aminmax(dim=1, keepdim=True)
    centre = (low + high) / 2
    scale = ((high - low) / (2 * _LEVELS)).clamp_min(_SMALLEST_SCALE)
    codes = (states - centre).div_(scale).round_().clamp_(-_LEVELS, _LEVELS)
    return codes.to(torch.int8), scale, centre


def _unpacked(name: str, tensors: Mapping[str, Tensor], dtype: torch.dtype) -> list[Tensor]:
    stored = tensors[name]
    if stored.dtype != torch.int8:
        return list(stored.to(dtype).unbind(0))
    states = torch.empty(stored.shape, dtype=dtype)
    scales, centres = tensors[f"{name}_scale"], tensors[f"{name}_centre"]
    # Layer by layer, so that the float32 product stays in the processor's cache.
    for layer, codes, scale, centre in zip(states, stored, scales, centres, strict=True):
        layer.copy_(scale.mul(codes).add_(centre))
    return list(states.unbind(0))
