"""The embedding and the first layers of a decoder, gone through by rows of any sequences."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..cancellation import Cancellation
from ..errors import ReadingError
from ..kernels.tiers import Kernels
from .converted_model import ConvertedModel
from .decoder_layer import Layer, checked_tensor
from .rotary import Rotary


@dataclass(slots=True)
class Step:
    """What a layer makes of the rows, until how they attend to each other is filled in."""

    layer: int
    columns_seen: int | None
    """How many columns, its own included, a row sees; None: all before it."""
    query: Tensor
    """``(heads, rows, head width)``"""
    key: Tensor
    """``(key heads, rows, head width)``"""
    value: Tensor | None
    """As the keys; None where the layer is only scored."""
    attended: Tensor | None = None
    """``(rows, heads, head width)``"""
    output: Tensor | None = None
    """``(rows, width)``, there once the next step was asked for."""


class LayerStack:
    """Layers ``0 … last_layer``; of the last one queries and keys alone, unless ``whole``.

    The matrices of ``int8_layers`` are multiplied in int8 by ``kernels``.

    Raises:
        ModelCorrupt: a tensor is missing or has the wrong shape.
    """

    def __init__(
        self,
        model: ConvertedModel,
        last_layer: int,
        dtype: torch.dtype,
        *,
        whole: bool,
        int8_layers: Collection[int] = (),
        kernels: Kernels | None = None,
    ) -> None:
        self._config = model.config
        self._dtype = dtype
        shared = model.embedding()
        shape = (self._config.vocabulary, self._config.width)
        self.embedding = checked_tensor(shared, "token_embd.weight", shape)
        self._rotary = Rotary(self._config, shared.get("rope_freqs.weight"))
        self._layers = []
        for index in range(last_layer + 1):
            scored_only = index == last_layer and not whole
            tensors = model.layer(index)
            int8 = kernels if index in int8_layers else None
            layer = Layer.load(
                self._config, index, tensors, dtype, scored_only=scored_only, int8=int8
            )
            self._layers.append(layer)

    def steps(self, ids: Sequence[int], positions: Tensor, cancel: Cancellation) -> Iterator[Step]:
        """The layers in turn; of each, ``attended`` is to be filled in before the next.

        Raises:
            Cancelled: ``cancel`` was set meanwhile.
        """
        hidden = self.embedding[torch.tensor(ids)].to(self._dtype)
        if self._config.embedding_scale != 1:
            hidden = hidden * self._config.embedding_scale
        rotations, local_rotations = self._rotary.at(positions, self._dtype)
        for index, layer in enumerate(self._layers):
            cancel.check()
            turn = rotations if layer.columns_seen is None else local_rotations
            step = Step(index, layer.columns_seen, *layer.project(hidden, turn))
            yield step
            if step.attended is not None:
                step.output = hidden = layer.finish(hidden, step.attended, cancel)

    def check(self, ids: Sequence[int], *, before: int) -> None:
        """Raises ReadingError unless ``ids`` can be read after so many others."""
        if not ids:
            raise ReadingError("there is nothing to read")
        if before + len(ids) > self._config.context_length:
            raise ReadingError(
                f"{before + len(ids):,} tokens exceed the model's context of "
                f"{self._config.context_length:,}",
                remedy="read in smaller windows",
            )
        if not 0 <= min(ids) <= max(ids) < self._config.vocabulary:
            raise ReadingError(f"a token id is not among the model's {self._config.vocabulary:,}")


def compute_dtype() -> torch.dtype:
    """bfloat16 where the CPU multiplies it natively, else float32.

    Without such instructions torch's bfloat16 products are several times slower than float32.
    """
    capabilities = torch.cpu.get_capabilities()
    native = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.bfloat16 if native else torch.float32
