"""A decoder's weights out of a Hugging Face folder: ``config.json``, ``tokenizer.json`` and
``*.safetensors``, with their index where there are several.

No code of the folder is run, and nothing but safetensors is loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..cancellation import Cancellation
from ..errors import ModelCorrupt, ReadingError
from ..progress import Progress, silent
from .architectures import Architecture, of_model_type
from .converted_model import (
    EMBEDDING_FILE,
    OUTPUT_FILE,
    ConvertedModel,
    DecoderConfig,
    layer_file,
    open_or_make,
)
from .stamps import digest

_ACTIVATIONS: dict[str, Literal["silu", "gelu_tanh"]] = {
    "silu": "silu",
    "gelu_pytorch_tanh": "gelu_tanh",
}

_UNKNOWN_FEATURES = (
    "quantization_config",
    "attn_logit_softcapping",
    "final_logit_softcapping",
    "use_bidirectional_attention",
)

_DERIVED = ("self_attn.rotary_emb",)
"""What old files hold although the configuration says it."""

_EMBEDDING = "embed_tokens.weight"


def convert_folder(
    folder: Path,
    *,
    sha256: str | None = None,
    cancel: Cancellation | None = None,
    progress: Progress = silent,
) -> ConvertedModel:
    """The converted form of a Hugging Face folder: opened if it is there, made otherwise. Blocks.

    ``sha256`` is that of :func:`folder_digest` where it is known; it is computed otherwise.

    Raises:
        ModelCorrupt: a file or a tensor is missing or cannot be read.
        ReadingError: its architecture, or a feature of it, is not one that the reader knows.
        StorageError: the disk refused.
        Cancelled: ``cancel`` was set meanwhile.
    """
    sha256 = sha256 or folder_digest(folder, cancel=cancel, progress=progress)
    return open_or_make(
        sha256, lambda target: _write(folder, sha256, target, cancel or Cancellation(), progress)
    )


def folder_digest(
    folder: Path, *, cancel: Cancellation | None = None, progress: Progress = silent
) -> str:
    """SHA-256 over the names and the digests of the files that the weights are made from.

    Raises:
        ModelCorrupt: one of them is missing or cannot be read.
        Cancelled: ``cancel`` was set meanwhile.
    """
    total = hashlib.sha256()
    for path in (folder / "config.json", folder / "tokenizer.json", *_weight_files(folder)):
        try:
            found = digest(path, cancel=cancel, progress=progress)
        except OSError as error:
            raise ModelCorrupt(f"cannot read {path} ({error.strerror})") from error
        total.update(f"{path.name} {found}\n".encode())
    return total.hexdigest()


def _weight_files(folder: Path) -> list[Path]:
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return [folder / "model.safetensors"]
    weights = _json_object(index).get("weight_map")
    names = list(weights.values()) if isinstance(weights, dict) else []
    if not names or not all(isinstance(name, str) and Path(name).name == name for name in names):
        raise ModelCorrupt(f"{index} names no files of its folder")
    return [folder / name for name in sorted(set(names))]


def _json_object(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ModelCorrupt(f"{path} cannot be read ({error})") from error
    if not isinstance(content, dict):
        raise ModelCorrupt(f"{path} is no JSON object")
    return content


def _write(
    folder: Path, sha256: str, target: Path, cancel: Cancellation, progress: Progress
) -> None:
    task = f"preparing {folder.name}"
    architecture, source = _source_config(folder)
    with contextlib.ExitStack() as stack:
        tensors = _Tensors(folder, stack)
        try:
            config = _decoder_config(folder, architecture, source, tensors, sha256)
        except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
            raise ModelCorrupt(f"{folder / 'config.json'} cannot be used ({error})") from error
        total = config.layers + 3
        progress(task, 0, total, "layers")
        tied = bool(source.tie_word_embeddings)
        for index, (name, members) in enumerate(_files(config, architecture, tensors, tied=tied)):
            converted = {}
            for member, stored in members.items():
                cancel.check()
                less_one = architecture.norms_less_one and member.endswith("norm.weight")
                converted[member] = tensors.rounded(stored, less_one=less_one)
            if name == EMBEDDING_FILE and _rope(source)["rope_type"] == "llama3":
                converted["rope_freqs.weight"] = _llama3_factors(config, _rope(source))
            save_file(converted, target / f"{name}.safetensors")
            progress(task, index + 1, total, "layers")
    shutil.copyfile(folder / "tokenizer.json", target / "tokenizer.json")
    (target / "config.json").write_text(config.model_dump_json(indent=1))
    progress(task, total, total, "layers")


def _source_config(folder: Path) -> tuple[Architecture, Any]:
    """The architecture, and transformers' configuration, with its defaults, of the text model."""
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    content = _json_object(folder / "config.json")
    architecture = of_model_type(str(content.get("model_type")))
    try:
        found = AutoConfig.from_pretrained(
            str(folder), trust_remote_code=False, local_files_only=True
        ).get_text_config()
    except (OSError, ValueError, TypeError, KeyError, StrictDataclassError) as error:
        raise ModelCorrupt(f"{folder / 'config.json'} cannot be used ({error})") from error
    for feature in _UNKNOWN_FEATURES:
        if getattr(found, feature, None) or content.get(feature):
            raise _unknown(folder, feature)
    return architecture, found


def _decoder_config(
    folder: Path, architecture: Architecture, source: Any, tensors: _Tensors, sha256: str
) -> DecoderConfig:
    heads, width = source.num_attention_heads, source.hidden_size
    head_width = getattr(source, "head_dim", None) or width // heads
    activation = getattr(source, "hidden_activation", None) or source.hidden_act
    kinds = getattr(source, "layer_types", None) or ["full_attention"] * source.num_hidden_layers
    rope, local_rope = _rope(source), _rope(source, "sliding_attention")
    own_local_rope = rope is not local_rope
    for name, value, known in (
        ("activation", activation, _ACTIVATIONS),
        ("rotary scaling", rope["rope_type"], ("default", "linear", "llama3")),
        ("rotary share", rope.get("partial_rotary_factor", 1.0), (1.0,)),
        (
            "local rotary scaling",
            local_rope["rope_type"] if own_local_rope else None,
            (None, "default"),
        ),
        *(("layers", kind, ("full_attention", "sliding_attention")) for kind in kinds),
    ):
        if value not in known:
            raise _unknown(folder, f"{name} {value}")
    local_layers = tuple(layer for layer, kind in enumerate(kinds) if kind == "sliding_attention")
    scalar = getattr(source, "query_pre_attn_scalar", None) or head_width
    return DecoderConfig(
        architecture=architecture.name,
        layers=source.num_hidden_layers,
        width=width,
        heads=heads,
        key_heads=source.num_key_value_heads or heads,
        head_width=head_width,
        vocabulary=tensors.vocabulary,
        context_length=source.max_position_embeddings,
        norm_epsilon=source.rms_norm_eps,
        activation=_ACTIVATIONS[activation],
        embedding_scale=width**0.5 if architecture.scaled_embedding else 1.0,
        query_scale=(head_width / scalar) ** 0.5,
        rope_base=rope["rope_theta"],
        rope_scale=rope["factor"] if rope["rope_type"] == "linear" else 1.0,
        adjacent_pairs=False,
        local_layers=local_layers,
        local_columns=source.sliding_window if local_layers else None,
        local_rope_base=local_rope["rope_theta"] if local_layers and own_local_rope else None,
        source_sha256=sha256,
    )


def _unknown(folder: Path, feature: str) -> ReadingError:
    return ReadingError(
        f"{folder} has {feature}, which the reader does not know", remedy="choose another model"
    )


def _rope(source: Any, kind: str = "full_attention") -> dict[str, Any]:
    """The rotary parameters of layers of a kind; the same for all where only one set is given."""
    parameters: dict[str, Any] = source.rope_parameters
    of_kind: dict[str, Any] = parameters.get(kind, parameters)
    return of_kind


def _llama3_factors(config: DecoderConfig, rope: dict[str, Any]) -> Tensor:
    """Llama 3.1's divisors of the rotary frequencies (arXiv 2407.21783): none for short waves, the
    factor for long ones, and a blend between."""
    exponents = torch.arange(0, config.head_width, 2).double() / config.head_width
    wavelengths = 2 * math.pi * config.rope_base**exponents
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    turns = rope["original_max_position_embeddings"] / wavelengths
    blend = ((turns - low) / (high - low)).clamp(0, 1)
    factors: Tensor = 1 / (blend + (1 - blend) / rope["factor"])
    return factors.float()


def _files(
    config: DecoderConfig, architecture: Architecture, tensors: _Tensors, *, tied: bool
) -> Iterator[tuple[str, dict[str, str]]]:
    """Each file of the converted model, and where its tensors come from."""
    yield EMBEDDING_FILE, {"token_embd.weight": f"{tensors.root}{_EMBEDDING}"}
    output = {"output_norm.weight": f"{tensors.root}norm.weight"}
    yield OUTPUT_FILE, output if tied else output | {"output.weight": tensors.projection}
    for layer in range(config.layers):
        members = {}
        for stored in tensors.below(f"{tensors.root}layers.{layer}."):
            part, suffix = stored.removeprefix(f"{tensors.root}layers.{layer}.").rsplit(".", 1)
            if part in _DERIVED:
                continue
            if part not in architecture.layer_tensors:
                raise ModelCorrupt(f"tensor {stored} is none that a {architecture.name} has")
            members[f"{architecture.layer_tensors[part]}.{suffix}"] = stored
        yield layer_file(layer), members


class _Tensors:
    """The tensors of a folder's safetensors files, read one by one.

    Raises:
        ModelCorrupt: a file cannot be read, or holds no text model.
    """

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self._files: dict[str, Any] = {}
        for path in _weight_files(folder):
            try:
                file = stack.enter_context(safe_open(str(path), framework="pt"))
                self._files |= dict.fromkeys(file.keys(), file)
            except (SafetensorError, OSError) as error:
                raise ModelCorrupt(f"{path} cannot be read ({error})") from error
        self._folder = folder
        self.root = self._only(_EMBEDDING).removesuffix(_EMBEDDING)

    @property
    def projection(self) -> str:
        """Name of the projection to the vocabulary."""
        return self._only("lm_head.weight")

    @property
    def vocabulary(self) -> int:
        rows: int = (
            self._files[f"{self.root}{_EMBEDDING}"]
            .get_slice(f"{self.root}{_EMBEDDING}")
            .get_shape()[0]
        )
        return rows

    def below(self, prefix: str) -> list[str]:
        return [name for name in self._files if name.startswith(prefix)]

    def rounded(self, name: str, *, less_one: bool) -> Tensor:
        """The tensor, a matrix in bfloat16 and a vector in float32; ``less_one`` adds that one."""
        try:
            values: Tensor = self._files[name].get_tensor(name)
        except (KeyError, SafetensorError) as error:
            raise ModelCorrupt(
                f"tensor {name} of {self._folder} cannot be read ({error})"
            ) from error
        if not values.is_floating_point():
            raise _unknown(self._folder, f"packed weights ({name})")
        if values.ndim > 1:
            return values.to(torch.bfloat16)
        return values.float() + 1 if less_one else values.float()

    def _only(self, ending: str) -> str:
        found = [name for name in self._files if name.endswith(ending)]
        if len(found) != 1:
            raise ModelCorrupt(f"{self._folder} has {len(found)} tensors named {ending}")
        return found[0]
