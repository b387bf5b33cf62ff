"""A decoder's weights out of a GGUF file, dequantised once."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import gguf
import torch
from gguf.quants import dequantize
from safetensors.torch import save_file
from torch import Tensor

from ..cancellation import Cancellation
from ..errors import ModelCorrupt, ReadingError
from ..progress import Progress, silent
from .architectures import of_gguf
from .converted_model import (
    EMBEDDING_FILE,
    OUTPUT_FILE,
    ConvertedModel,
    DecoderConfig,
    layer_file,
    open_or_make,
)
from .stamps import digest
from .tokenizer import save_gguf_tokenizer

__all__ = ["ConvertedModel", "DecoderConfig", "convert"]

_GEMMA_27B_LAYERS = 62
"""The one Gemma 3 whose queries are scaled otherwise; its files do not say so."""


def convert(
    path: Path,
    *,
    sha256: str | None = None,
    cancel: Cancellation | None = None,
    progress: Progress = silent,
) -> ConvertedModel:
    """The converted form of a GGUF file: opened if it is there, made otherwise. Blocks.

    ``sha256`` is the file's digest where it is known; it is computed otherwise.

    Raises:
        ModelCorrupt: the file is truncated, altered or no GGUF file.
        ReadingError: its architecture is not one that the reader knows.
        StorageError: the disk refused.
        Cancelled: ``cancel`` was set meanwhile.
    """
    sha256 = sha256 or _digest(path, cancel, progress)
    return open_or_make(
        sha256, lambda folder: _write(path, sha256, folder, cancel or Cancellation(), progress)
    )


def _digest(path: Path, cancel: Cancellation | None, progress: Progress) -> str:
    try:
        return digest(path, cancel=cancel, progress=progress)
    except OSError as error:
        raise ModelCorrupt(f"cannot read the model {path} ({error.strerror})") from error


def _write(path: Path, sha256: str, folder: Path, cancel: Cancellation, progress: Progress) -> None:
    task = f"preparing {path.stem}"
    tensors: dict[str, Any]
    try:
        source = gguf.GGUFReader(path)
        tensors = {tensor.name: tensor for tensor in source.tensors}
        config = _config(source, tensors, sha256)
    except (ValueError, KeyError, IndexError, TypeError, ArithmeticError, struct.error) as error:
        raise ModelCorrupt(f"{path} is no readable GGUF file ({error})") from error
    total = config.layers + 3
    progress(task, 0, total, "layers")
    for index, (name, members) in enumerate(_files(config, tensors)):
        converted = {}
        for member, tensor in members:
            cancel.check()
            converted[member] = _dequantised(path, tensor)
        save_file(converted, folder / f"{name}.safetensors")
        progress(task, index + 1, total, "layers")
    cancel.check()
    save_gguf_tokenizer(path, folder / "tokenizer.json")
    (folder / "config.json").write_text(config.model_dump_json(indent=1))
    progress(task, total, total, "layers")


def _files(
    config: DecoderConfig, tensors: dict[str, Any]
) -> Iterator[tuple[str, Iterable[tuple[str, Any]]]]:
    for file, names in (
        (EMBEDDING_FILE, ("token_embd.weight", "rope_freqs.weight")),
        (OUTPUT_FILE, ("output_norm.weight", "output.weight")),
    ):
        yield file, [(name, tensors[name]) for name in names if name in tensors]
    for layer in range(config.layers):
        prefix = f"blk.{layer}."
        members = [(n.removeprefix(prefix), t) for n, t in tensors.items() if n.startswith(prefix)]
        yield layer_file(layer), members


def _dequantised(path: Path, tensor: Any) -> Tensor:
    try:
        values = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
    except (ValueError, KeyError, NotImplementedError) as error:
        raise ModelCorrupt(
            f"tensor {tensor.name} of {path} cannot be unpacked ({error})"
        ) from error
    return values.to(torch.bfloat16) if values.ndim > 1 else values.to(torch.float32)


def _config(source: Any, tensors: dict[str, Any], sha256: str) -> DecoderConfig:
    name = str(_metadata(source, "general.architecture"))

    def value(key: str, default: Any = None) -> Any:
        return _metadata(source, f"{name}.{key}", default)

    architecture = of_gguf(name)
    scaling = value("rope.scaling.type", "none")
    if scaling not in ("none", "linear"):
        raise ReadingError(
            f"rotary scaling '{scaling}' is not known", remedy="choose another model"
        )
    layers = int(value("block_count"))
    heads = int(value("attention.head_count"))
    width = int(value("embedding_length"))
    head_width = int(value("attention.key_length", width // heads))
    scale = value("attention.scale")
    query_scale = 1.0 if scale is None else scale * head_width**0.5
    if name == "gemma3" and layers == _GEMMA_27B_LAYERS:
        query_scale = (head_width / (width // heads)) ** 0.5
    local_columns, local_rope_base = None, None
    local_layers: tuple[int, ...] = ()
    if architecture.local_pattern is not None:
        local_columns = value("attention.sliding_window")
    if local_columns:
        pattern = value("attention.sliding_window_pattern", architecture.local_pattern)
        local_layers = _local_layers(pattern, layers)
        local_rope_base = value("rope.freq_base_swa", architecture.local_rope_base)
    return DecoderConfig(
        architecture=name,
        layers=layers,
        width=width,
        heads=heads,
        key_heads=int(value("attention.head_count_kv", heads)),
        head_width=head_width,
        vocabulary=int(tensors["token_embd.weight"].shape[1]),
        context_length=int(value("context_length")),
        norm_epsilon=float(value("attention.layer_norm_rms_epsilon")),
        activation=architecture.activation,
        embedding_scale=width**0.5 if architecture.scaled_embedding else 1.0,
        query_scale=query_scale,
        rope_base=float(value("rope.freq_base", 10000.0)),
        rope_scale=float(value("rope.scaling.factor", 1.0)),
        adjacent_pairs=architecture.adjacent_pairs,
        local_layers=local_layers,
        local_columns=local_columns or None,
        local_rope_base=local_rope_base,
        source_sha256=sha256,
    )


def _metadata(source: Any, key: str, default: Any = None) -> Any:
    field = source.get_field(key)
    return default if field is None else field.contents()


def _local_layers(pattern: int | list[bool], layers: int) -> tuple[int, ...]:
    """``pattern`` says of each layer whether it is local, or that one of so many is not."""
    if isinstance(pattern, list):
        return tuple(layer for layer in range(layers) if pattern[layer])
    return tuple(layer for layer in range(layers) if (layer + 1) % int(pattern))
