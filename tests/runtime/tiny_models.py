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
_GEMMA_NAMES = _NAMES | {
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}
GEMMA = "gemma3_text"


def vocabulary() -> list[str]:
    """Byte-level alphabet, two merged words and two control tokens."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    alphabet = bytes_to_unicode()  # type: ignore[no-untyped-call]
    return [*alphabet.values(), "th", "the", "<|im_start|>", "<|im_end|>"]


def make_model(
    architecture: str,
    *,
    layers: int = 3,
    context: int = CONTEXT,
    tied: bool = True,
    **settings: Any,
) -> Any:
    """A random ``llama``, ``qwen2``, ``qwen3`` or ``gemma3_text`` in float32 with eager attention."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    shape = {
        "hidden_size": 64,
        "intermediate_size": 96,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "vocab_size": len(vocabulary()),
        "max_position_embeddings": context,
        "tie_word_embeddings": tied,
    }
    if architecture == GEMMA:
        shape |= {"query_pre_attn_scalar": 16, "sliding_window": 8, "sliding_window_pattern": 2}
    config = AutoConfig.for_model(architecture, **shape | settings)
    config._attn_implementation = "eager"
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
    model: Any,
    path: Path,
    *,
    quantisation: gguf.GGMLQuantizationType | None = None,
    sentencepiece: bool = False,
) -> Path:
    """``model`` as llama.cpp stores it; matrices in float32 or quantised."""
    config = model.config
    architecture = "gemma3" if config.model_type == GEMMA else config.model_type
    rope = config.rope_parameters.get("full_attention", config.rope_parameters)
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(16)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(rope["rope_theta"])
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", _rope_divisors(model))
    if architecture == "gemma3":
        writer.add_sliding_window(config.sliding_window)
        if config._sliding_window_pattern != 6:
            writer.add_sliding_window_pattern(config._sliding_window_pattern)
    if sentencepiece:
        _add_sentencepiece(writer)
    else:
        _add_byte_level(writer)
    for name, parameter in model.named_parameters():
        values = parameter.detach()
        if architecture == "gemma3" and name.endswith("norm.weight"):
            values = values + 1
        if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
            values = _adjacent_pairs(values, values.shape[0] // 16)
        array = np.ascontiguousarray(values.numpy())
        if quantisation is not None and array.ndim > 1:
            array = gguf.quants.quantize(array, quantisation)
            writer.add_tensor(_gguf_name(name, config.model_type), array, raw_dtype=quantisation)
        else:
            writer.add_tensor(_gguf_name(name, config.model_type), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_byte_level(writer: gguf.GGUFWriter) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    tokens = vocabulary()
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token.startswith("<|") else 1 for token in tokens])
    writer.add_token_merges(["t h", "th e"])
    writer.add_bos_token_id(len(tokens) - 2)
    writer.add_eos_token_id(len(tokens) - 1)


def _add_sentencepiece(writer: gguf.GGUFWriter) -> None:
    """As Gemma's files have it: no merges, and the vocabulary in their order."""
    special = ["<pad>", "<eos>", "<bos>", "<unk>"]
    pieces = ["▁t", "th", "▁th", "the", "▁the", "▁", "t", "h", "e", "a"]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([*special, *pieces])
    writer.add_token_scores([0.0] * len(special) + [-1000.0] * len(pieces))
    writer.add_token_types([3] * len(special) + [1] * len(pieces))
    writer.add_pad_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_unk_token_id(3)


def write_folder(model: Any, folder: Path, *, shard_size: str = "1GB") -> Path:
    """``model`` as the Hugging Face hub has it, with a byte-level tokenizer."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    model.save_pretrained(folder, max_shard_size=shard_size)
    tokens = vocabulary()
    tokenizer = Tokenizer(
        models.BPE({token: place for place, token in enumerate(tokens)}, [("t", "h"), ("th", "e")])
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(tokens[-2:])
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


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
                parameter.copy_(stored[_gguf_name(name, config.model_type)])
    return model


def _gguf_name(name: str, model_type: str) -> str:
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "model.norm.weight":
        return "output_norm.weight"
    if name == "lm_head.weight":
        return "output.weight"
    _, _, layer, rest = name.split(".", 3)
    part, suffix = rest.rsplit(".", 1)
    names = _GEMMA_NAMES if model_type == GEMMA else _NAMES
    return f"blk.{layer}.{names[part]}.{suffix}"


def _adjacent_pairs(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """llama.cpp stores a llama's query and key rows with each rotary pair side by side."""
    return weight.view(heads, 2, -1, *weight.shape[1:]).transpose(1, 2).reshape(weight.shape)


def _rope_divisors(model: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """What transformers divides the usual frequencies by."""
    width, base = 16, model.config.rope_parameters["rope_theta"]
    usual = base ** -(torch.arange(0, width, 2).float() / width)
    divisors: np.ndarray[Any, np.dtype[np.float32]] = (
        usual / model.model.rotary_emb.inv_freq
    ).numpy()
    return divisors
