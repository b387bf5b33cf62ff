"""A converted model as transformers has it: for comparisons with code that is written for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import ReadingError
from ..runtime.converted_model import ConvertedModel

if TYPE_CHECKING:
    import torch

Precision = Literal["bfloat16", "float32"]

_ARCHITECTURES = ("qwen2", "qwen3")
"""Those whose tensors are the library's under other names."""

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


def chat_template(weights: Path) -> str:
    """The chat template in a GGUF file.

    Raises:
        ReadingError: it has none.
    """
    import gguf

    field = gguf.GGUFReader(weights).get_field("tokenizer.chat_template")
    if field is None:
        raise ReadingError(f"{weights} has no chat template", remedy="choose another model")
    return str(field.contents())


def library_model(model: ConvertedModel, precision: Precision) -> Any:
    """transformers' model on converted weights, with eager attention.

    Its final norm and, unless it is the embedding, its output layer are not those of the file:
    attention is as it should be, what it generates is not.

    Raises:
        ReadingError: the model's layout is one that is not mapped here.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.initialization import no_init_weights

    shape = model.config
    if shape.architecture not in _ARCHITECTURES or shape.rope_scale != 1:
        raise ReadingError(
            f"a '{shape.architecture}' model cannot be handed to transformers here",
            remedy="choose a Qwen model",
        )
    config = AutoConfig.for_model(
        shape.architecture,
        hidden_size=shape.width,
        intermediate_size=model.layer(0)["ffn_up.weight"].shape[0],
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_heads,
        head_dim=shape.head_width,
        vocab_size=shape.vocabulary,
        max_position_embeddings=shape.context_length,
        rms_norm_eps=shape.norm_epsilon,
        rope_theta=shape.rope_base,
        tie_word_embeddings=True,
    )
    with no_init_weights():
        library = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
            config, dtype=torch_dtype(precision), attn_implementation="eager"
        ).eval()
    with torch.no_grad():
        library.model.embed_tokens.weight.copy_(model.embedding()["token_embd.weight"])
        library.model.norm.weight.fill_(1)
        for index, layer in enumerate(library.model.layers):
            stored = model.layer(index)
            for name, parameter in layer.named_parameters():
                part, suffix = name.rsplit(".", 1)
                parameter.copy_(stored[f"{_NAMES[part]}.{suffix}"])
    return library


def torch_dtype(precision: Precision) -> torch.dtype:
    """The type of that name."""
    import torch

    return {"bfloat16": torch.bfloat16, "float32": torch.float32}[precision]
