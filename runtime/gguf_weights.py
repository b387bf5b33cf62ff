"""A decoder's weights out of a GGUF file, dequantised once.

The converted model is a folder below the cache, named after the GGUF file's SHA-256:
``config.json``, ``tokenizer.json``, ``embedding.safetensors`` and one ``layer-NN.safetensors``
per layer, in bfloat16 (norms and biases in float32), so that a reader loads no layer beyond the
last one it needs. Tensor names are those of GGUF without their ``blk.N.`` prefix.
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import torch
from gguf.quants import dequantize
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..cancellation import Cancellation
from ..errors import ModelCorrupt, ReadingError
from ..locations import locations, make_private
from ..progress import Progress, silent
from ..storage import storage_errors
from .stamps import digest
from .tokenizer import save_gguf_tokenizer

FORMAT = 1
"""Version of the folder's layout; a folder of another version is made anew."""

_ADJACENT_PAIRS = {"llama": True, "qwen2": False, "qwen3": False}
"""Architectures that can be read, and whether their rotary pairs are adjacent or half a head apart."""


class DecoderConfig(BaseModel):
    """Shapes and constants of a decoder, from the GGUF file's metadata."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: str
    layers: int = Field(gt=0)
    width: int = Field(gt=0)
    heads: int = Field(gt=0)
    key_heads: int = Field(gt=0)
    head_width: int = Field(gt=0)
    vocabulary: int = Field(gt=0)
    context_length: int = Field(gt=0)
    norm_epsilon: float = Field(gt=0)
    rope_base: float = Field(gt=0)
    rope_scale: float = Field(default=1.0, gt=0)
    """Positions are divided by it (linear scaling)."""
    adjacent_pairs: bool
    """Rotary pairs are neighbouring channels (llama) instead of half a head apart (qwen)."""
    gguf_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class ConvertedModel:
    """A converted model on this disk."""

    folder: Path
    config: DecoderConfig

    @property
    def tokenizer(self) -> Path:
        return self.folder / "tokenizer.json"

    def embedding(self) -> dict[str, Tensor]:
        """``token_embd.weight`` and, where the model has them, ``rope_freqs.weight``.

        Raises:
            ModelCorrupt: the file cannot be read.
        """
        return self._load("embedding")

    def layer(self, index: int) -> dict[str, Tensor]:
        """The tensors of one layer.

        Raises:
            ModelCorrupt: the file cannot be read.
        """
        return self._load(f"layer-{index:02}")

    def _load(self, name: str) -> dict[str, Tensor]:
        path = self.folder / f"{name}.safetensors"
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise ModelCorrupt(
                f"converted weights {path} cannot be read ({error})",
                remedy=f"remove the folder {self.folder}, it will be made again",
            ) from error


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
    folder = make_private(locations().cache / "converted") / sha256
    if (model := _open(folder)) is not None:
        return model
    with storage_errors(folder):
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{sha256[:12]}."))
        try:
            _write(path, sha256, unfinished, cancel or Cancellation(), progress)
            _move_into_place(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    model = _open(folder)
    if model is None:
        raise ModelCorrupt(f"{folder} was converted but cannot be opened", remedy="try again")
    return model


def _digest(path: Path, cancel: Cancellation | None, progress: Progress) -> str:
    try:
        return digest(path, cancel=cancel, progress=progress)
    except OSError as error:
        raise ModelCorrupt(f"cannot read the model {path} ({error.strerror})") from error


def _open(folder: Path) -> ConvertedModel | None:
    try:
        config = DecoderConfig.model_validate_json((folder / "config.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return ConvertedModel(folder, config) if config.format == FORMAT else None


def _move_into_place(unfinished: Path, folder: Path) -> None:
    """Another process may have finished first; what it made is as good."""
    if folder.exists() and _open(folder) is None:
        shutil.rmtree(folder)
    try:
        os.rename(unfinished, folder)
    except OSError:
        if _open(folder) is None:
            raise


def _write(path: Path, sha256: str, folder: Path, cancel: Cancellation, progress: Progress) -> None:
    task = f"preparing {path.stem}"
    tensors: dict[str, Any]
    try:
        source = gguf.GGUFReader(path)
        tensors = {tensor.name: tensor for tensor in source.tensors}
        config = _config(source, tensors, sha256)
    except (ValueError, KeyError, IndexError, TypeError, OverflowError, struct.error) as error:
        raise ModelCorrupt(f"{path} is no readable GGUF file ({error})") from error
    total = config.layers + 2
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
    shared = ("token_embd.weight", "rope_freqs.weight")
    yield "embedding", [(name, tensors[name]) for name in shared if name in tensors]
    for layer in range(config.layers):
        prefix = f"blk.{layer}."
        members = [(n.removeprefix(prefix), t) for n, t in tensors.items() if n.startswith(prefix)]
        yield f"layer-{layer:02}", members


def _dequantised(path: Path, tensor: Any) -> Tensor:
    try:
        values = torch.from_numpy(dequantize(tensor.data, tensor.tensor_type).copy())
    except (ValueError, KeyError, NotImplementedError) as error:
        raise ModelCorrupt(
            f"tensor {tensor.name} of {path} cannot be unpacked ({error})"
        ) from error
    return values.to(torch.bfloat16) if values.ndim > 1 else values.to(torch.float32)


def _config(source: Any, tensors: dict[str, Any], sha256: str) -> DecoderConfig:
    def value(key: str, default: Any = None) -> Any:
        field = source.get_field(key)
        return default if field is None else field.contents()

    architecture = str(value("general.architecture"))
    if architecture not in _ADJACENT_PAIRS:
        known = ", ".join(_ADJACENT_PAIRS)
        raise ReadingError(
            f"the reader cannot read with a '{architecture}' model",
            remedy=f"choose one of: {known}",
        )
    scaling = value(f"{architecture}.rope.scaling.type", "none")
    if scaling not in ("none", "linear"):
        raise ReadingError(
            f"rotary scaling '{scaling}' is not known", remedy="choose another model"
        )
    heads = int(value(f"{architecture}.attention.head_count"))
    width = int(value(f"{architecture}.embedding_length"))
    return DecoderConfig(
        architecture=architecture,
        layers=int(value(f"{architecture}.block_count")),
        width=width,
        heads=heads,
        key_heads=int(value(f"{architecture}.attention.head_count_kv", heads)),
        head_width=int(value(f"{architecture}.attention.key_length", width // heads)),
        vocabulary=int(tensors["token_embd.weight"].shape[1]),
        context_length=int(value(f"{architecture}.context_length")),
        norm_epsilon=float(value(f"{architecture}.attention.layer_norm_rms_epsilon")),
        rope_base=float(value(f"{architecture}.rope.freq_base", 10000.0)),
        rope_scale=float(value(f"{architecture}.rope.scaling.factor", 1.0)),
        adjacent_pairs=_ADJACENT_PAIRS[architecture],
        gguf_sha256=sha256,
    )
