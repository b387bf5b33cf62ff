"""Tiny decoders with random weights: the Hugging Face model and the same model as a GGUF file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from leadline.runtime.gguf_weights import ConvertedModel

CONTEXT = 256

_NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


def vocabulary() -> list[str]:
    """Byte-level alphabet, two merged words and two control tokens."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    alphabet = bytes_to_unicode()  # type: ignore[no-untyped-call]
    return [*alphabet.values(), "th", "the", "<|im_start|>", "<|im_end|>"]


def make_model(architecture: str, *, layers: int = 3, context: int = CONTEXT) -> Any:
    """A random ``llama``, ``qwen2`` or ``qwen3`` in float32 with eager attention."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(
        architecture,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        vocab_size=len(vocabulary()),
        max_position_embeddings=context,
        tie_word_embeddings=True,
        attn_implementation="eager",
    )
    model = AutoModelForCausalLM.from_config(config).eval()  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            spread = 0.02 if "norm" in name else 0.3
            parameter.add_(torch.randn_like(parameter) * spread)
            # What is stored is bfloat16; rounding here leaves the arithmetic as the only difference.
            if parameter.ndim > 1:
                parameter.copy_(parameter.bfloat16().float())
    return model


def write_gguf(
    model: Any, path: Path, *, quantisation: gguf.GGMLQuantizationType | None = None
) -> Path:
    """``model`` as llama.cpp stores it; matrices in float32 or quantised."""
    config = model.config
    architecture = config.model_type
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(16)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    tokens = vocabulary()
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])
    writer.add_token_merges(["t h", "th e"])
    writer.add_bos_token_id(len(tokens) - 2)
    writer.add_eos_token_id(len(tokens) - 1)
    for name, parameter in model.named_parameters():
        values = parameter.detach()
        if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
            values = _adjacent_pairs(values, values.shape[0] // 16)
        array = np.ascontiguousarray(values.numpy())
        if quantisation is not None and array.ndim > 1:
            array = gguf.quants.quantize(array, quantisation)
            writer.add_tensor(_gguf_name(name), array, raw_dtype=quantisation)
        else:
            writer.add_tensor(_gguf_name(name), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def load_converted(weights: ConvertedModel, *, layers: int) -> Any:
    """transformers' own model on converted weights: its first ``layers`` layers, eager, float32."""
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = weights.config
    config = AutoConfig.for_model(
        shape.architecture,
        hidden_size=shape.width,
        intermediate_size=weights.layer(0)["ffn_up.weight"].shape[0],
        num_hidden_layers=layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        vocab_size=shape.vocabulary,
        max_position_embeddings=shape.context_length,
        rms_norm_eps=shape.norm_epsilon,
        rope_theta=shape.rope_base,
        tie_word_embeddings=True,
        attn_implementation="eager",
    )
    model = AutoModelForCausalLM.from_config(config).eval()  # type: ignore[no-untyped-call]
    stored = {"token_embd.weight": weights.embedding()["token_embd.weight"]}
    for layer in range(layers):
        stored |= {f"blk.{layer}.{name}": tensor for name, tensor in weights.layer(layer).items()}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name != "model.norm.weight":
                parameter.copy_(stored[_gguf_name(name)])
    return model


def _gguf_name(name: str) -> str:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, rest = name.split(".", 3)
    part, suffix = rest.rsplit(".", 1)
    return f"blk.{layer}.{_NAMES[part]}.{suffix}"


def _adjacent_pairs(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """llama.cpp stores a llama's query and key rows with each rotary pair side by side."""
    return weight.view(heads, 2, -1, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)
