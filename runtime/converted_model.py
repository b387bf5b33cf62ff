"""A decoder's weights on this disk, in the form that the decoder loads.

A converted model is a folder below the cache, named after the SHA-256 of what it was made from:
``config.json``, ``tokenizer.json``, ``embedding.safetensors``, one ``layer-NN.safetensors`` per
layer and ``output.safetensors``, in bfloat16 (norms and biases in float32), so that a reader loads
nothing beyond the last layer it needs. Tensor names are those of GGUF without their ``blk.N.``
prefix.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from ..errors import ModelCorrupt
from ..locations import locations, make_private
from ..storage import storage_errors

FORMAT = 2
"""Version of the folder's layout; a folder of another version is made anew."""

EMBEDDING_FILE, OUTPUT_FILE = "embedding", "output"
"""Names, without their ending, of the files with what is in no layer."""


class DecoderConfig(BaseModel):
    """Shapes and constants of a decoder."""

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
    activation: Literal["silu", "gelu_tanh"] = "silu"
    embedding_scale: float = Field(default=1.0, gt=0)
    """Embeddings are multiplied by it."""
    query_scale: float = Field(default=1.0, gt=0)
    """Queries are multiplied by it, besides the usual division by the root of the head width."""
    rope_base: float = Field(gt=0)
    rope_scale: float = Field(default=1.0, gt=0)
    """Positions are divided by it (linear scaling), but not in layers with ``local_rope_base``."""
    adjacent_pairs: bool
    """Rotary pairs are neighbouring channels (llama) instead of half a head apart (qwen)."""
    local_layers: tuple[int, ...] = ()
    """Layers whose rows see only the last ``local_columns`` columns."""
    local_columns: int | None = Field(default=None, gt=0)
    """The row's own column is one of them."""
    local_rope_base: float | None = Field(default=None, gt=0)
    """Of the local layers, where it differs."""
    source_sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Digest of what the weights were made from."""
    format: int = FORMAT

    @property
    def gguf_sha256(self) -> str:
        return self.source_sha256

    def columns_seen(self, layer: int) -> int | None:
        """How many columns, its own included, a row of the layer sees; None: all before it."""
        return self.local_columns if layer in self.local_layers else None


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
        return self._load(EMBEDDING_FILE)

    def layer(self, index: int) -> dict[str, Tensor]:
        """The tensors of one layer.

        Raises:
            ModelCorrupt: the file cannot be read.
        """
        return self._load(layer_file(index))

    def output(self) -> dict[str, Tensor]:
        """``output_norm.weight`` and, unless the embedding serves as it, ``output.weight``.

        Raises:
            ModelCorrupt: the file cannot be read.
        """
        return self._load(OUTPUT_FILE)

    def _load(self, name: str) -> dict[str, Tensor]:
        path = self.folder / f"{name}.safetensors"
        try:
            return load_file(path)
        except (SafetensorError, OSError) as error:
            raise ModelCorrupt(
                f"converted weights {path} cannot be read ({error})",
                remedy=f"remove the folder {self.folder}, it will be made again",
            ) from error


def layer_file(index: int) -> str:
    """Name, without its ending, of the file with a layer's tensors."""
    return f"layer-{index:02}"


def open_or_make(sha256: str, make: Callable[[Path], None]) -> ConvertedModel:
    """The converted model of that digest; ``make`` fills an empty folder where there is none yet.

    Raises:
        ModelCorrupt: what was made cannot be opened.
        StorageError: the disk refused.
    """
    folder = make_private(locations().cache / "converted") / sha256
    if (model := _open(folder)) is not None:
        return model
    with storage_errors(folder):
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{sha256[:12]}."))
        try:
            make(unfinished)
            _move_into_place(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    model = _open(folder)
    if model is None:
        raise ModelCorrupt(f"{folder} was converted but cannot be opened", remedy="try again")
    return model


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
