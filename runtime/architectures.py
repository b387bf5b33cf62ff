"""The families of decoders that can be read with, and what sets them apart.

Llama (arXiv 2407.21783), Qwen2 (2407.10671), Qwen3 (2505.09388) and Gemma 3 (2503.19786); a model
of another name that has the same tensors, as Mistral's GGUF files have those of llama, counts as
that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..errors import ReadingError

_LAYER_TENSORS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


@dataclass(frozen=True, slots=True)
class Architecture:
    """A family of decoders."""

    name: str
    """In GGUF files."""
    model_types: tuple[str, ...]
    """In a Hugging Face ``config.json``."""
    layer_tensors: dict[str, str]
    """Hugging Face's names of a layer's tensors to those of GGUF."""
    adjacent_pairs: bool = False
    """GGUF files have rotary pairs side by side; Hugging Face's are always half a head apart."""
    activation: Literal["silu", "gelu_tanh"] = "silu"
    scaled_embedding: bool = False
    """Embeddings are multiplied by the root of their width."""
    norms_less_one: bool = False
    """Hugging Face stores the weights of norms less one, GGUF files as they are."""
    local_pattern: int | None = None
    """Every so many layers one is not local, where a GGUF file has local layers without saying
    which."""
    local_rope_base: float | None = None
    """Of local layers, where a GGUF file does not say."""


_GEMMA_TENSORS = _LAYER_TENSORS | {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}

_ARCHITECTURES = (
    Architecture("llama", ("llama",), _LAYER_TENSORS, adjacent_pairs=True),
    Architecture("qwen2", ("qwen2",), _LAYER_TENSORS),
    Architecture("qwen3", ("qwen3",), _LAYER_TENSORS),
    Architecture(
        "gemma3",
        ("gemma3_text", "gemma3"),
        _GEMMA_TENSORS,
        activation="gelu_tanh",
        scaled_embedding=True,
        norms_less_one=True,
        local_pattern=6,
        local_rope_base=10_000.0,
    ),
)


def of_gguf(name: str) -> Architecture:
    """The architecture that GGUF files call ``name``.

    Raises:
        ReadingError: it is not known; names those that are.
    """
    return _known(name, {found.name: found for found in _ARCHITECTURES})


def of_model_type(model_type: str) -> Architecture:
    """The architecture with that ``model_type`` in its Hugging Face ``config.json``.

    Raises:
        ReadingError: it is not known; names those that are.
    """
    return _known(
        model_type, {name: found for found in _ARCHITECTURES for name in found.model_types}
    )


def _known(name: str, names: dict[str, Architecture]) -> Architecture:
    if name not in names:
        known = ", ".join(names)
        raise ReadingError(
            f"the reader cannot read with a '{name}' model", remedy=f"choose one of: {known}"
        )
    return names[name]
