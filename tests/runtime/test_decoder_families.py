"""Every family, from a GGUF file and from a Hugging Face folder, against transformers, eager."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from leadline.runtime.converted_model import ConvertedModel
from leadline.runtime.decoder import Branch, Decoder
from leadline.runtime.gguf_weights import convert
from leadline.runtime.heads import Head
from leadline.runtime.huggingface_weights import convert_folder

from .tiny_models import GEMMA, make_model, write_folder, write_gguf

# Longer than Gemma's windows of 8 columns, and a question that leaves its prefix behind.
TEXT = [(7 * place) % 200 for place in range(37)]
QUESTION = [5, 60, 61, 9, 17, 18, 19, 20, 44, 45, 46, 47]
SHORT = TEXT[:3]
HEADS = [Head(layer, head) for layer in range(3) for head in range(4)]

LLAMA_3_1 = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
LONG_GEMMA = {
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1_000_000.0},
    "sliding_attention": {"rope_type": "default", "rope_theta": 10_000.0},
}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {}),
    "llama-3.1": ("llama", {"rope_parameters": LLAMA_3_1}),
    "llama-linear": (
        "llama",
        {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 10000.0}},
    ),
    "qwen2": ("qwen2", {"tied": False}),
    "qwen3": ("qwen3", {}),
    "gemma3": (GEMMA, {}),
    "gemma3-long": (GEMMA, {"rope_parameters": LONG_GEMMA}),
}
FOLDERS: dict[str, tuple[str, dict[str, Any]]] = {
    "qwen2-local": (
        "qwen2",
        {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 1},
    ),
    "gemma3-scaled": (GEMMA, {"query_pre_attn_scalar": 24}),
    "gemma3-narrow": (GEMMA, {"sliding_window": 1}),
}


def from_gguf(model: Any, folder: Path) -> ConvertedModel:
    return convert(write_gguf(model, folder / "tiny.gguf"))


def from_folder(model: Any, folder: Path) -> ConvertedModel:
    return convert_folder(write_folder(model, folder / "tiny"))


@pytest.mark.parametrize(
    ("name", "converted"),
    [(name, form) for name in MODELS for form in (from_gguf, from_folder)]
    + [(name, from_folder) for name in FOLDERS],
)
def test_attention_and_likelihood_are_those_of_transformers(
    tmp_path: Path, name: str, converted: Callable[[Any, Path], ConvertedModel]
) -> None:
    architecture, settings = (MODELS | FOLDERS)[name]
    model = make_model(architecture, **settings)
    decoder = Decoder(
        converted(model, tmp_path), last_layer=2, dtype=torch.float32, likelihood=True
    )
    prefixes = decoder.prefill_many([TEXT, SHORT])
    # One branch for each row of the question, and one that stands behind another.
    branches = [Branch(QUESTION, (row, row + 1)) for row in range(1, len(QUESTION))]
    found = decoder.score_many(prefixes, branches, heads=HEADS)
    likelihood = decoder.log_likelihood(prefixes, branches)
    for text, prefix, scores, logs in zip((TEXT, SHORT), prefixes, found, likelihood, strict=True):
        with torch.no_grad():
            oracle = model(torch.tensor([text + QUESTION]), output_attentions=True)
        expected_logs = oracle.logits[0].log_softmax(dim=-1)
        for branch, score, log in zip(branches, scores, logs, strict=True):
            row = len(text) + branch.rows[0]
            maps = torch.stack([oracle.attentions[h.layer][0, h.head, row] for h in HEADS])
            torch.testing.assert_close(score, maps[:, : len(text)], rtol=1e-3, atol=1e-5)
            expected = expected_logs[row - 1, QUESTION[branch.rows[0]]]
            torch.testing.assert_close(log, expected, rtol=1e-3, atol=1e-3)
            alone = decoder.score(
                prefix, QUESTION, heads=HEADS, columns=(0, row + 1), rows=branch.rows
            )
            torch.testing.assert_close(alone, maps[:, : row + 1], rtol=1e-3, atol=1e-5)


def test_gguf_and_folder_agree_on_gemma(tmp_path: Path) -> None:
    model = make_model(GEMMA, rope_parameters=LONG_GEMMA)
    from_file, from_parts = from_gguf(model, tmp_path), from_folder(model, tmp_path)
    # A GGUF file holds its constants in single precision.
    assert from_file.config.norm_epsilon == pytest.approx(from_parts.config.norm_epsilon)
    same = {"source_sha256": "", "norm_epsilon": 1.0}
    assert from_file.config.model_copy(update=same) == from_parts.config.model_copy(update=same)
    assert from_file.config.local_layers == (0, 2)
    for layer in range(3):
        torch.testing.assert_close(from_file.layer(layer), from_parts.layer(layer))
    torch.testing.assert_close(from_file.output(), from_parts.output())
    torch.testing.assert_close(from_file.embedding(), from_parts.embedding())


def test_every_sixth_layer_of_a_gemma_is_not_local(tmp_path: Path) -> None:
    model = make_model(GEMMA, layers=7, sliding_window_pattern=6)
    assert from_gguf(model, tmp_path).config.local_layers == (0, 1, 2, 3, 4, 6)
