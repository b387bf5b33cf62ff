"""The decoder against transformers, eager, on the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ModelCorrupt, ReadingError
from leadline.runtime.decoder import Decoder, compute_dtype
from leadline.runtime.gguf_weights import ConvertedModel, convert
from leadline.runtime.heads import Head

from .tiny_models import CONTEXT, load_converted, make_model, write_gguf

TEXT = [7, 3, 9, 200, 4, 4, 90, 31, 32, 33, 8, 2]
QUESTION = [5, 60, 61, 9]
ALL = len(TEXT) + len(QUESTION)


def converted(tmp_path: Path, architecture: str) -> tuple[Any, ConvertedModel]:
    model = make_model(architecture)
    return model, convert(write_gguf(model, tmp_path / "tiny.gguf"))


@pytest.mark.parametrize("architecture", ["llama", "qwen2", "qwen3"])
def test_attention_is_that_of_transformers(tmp_path: Path, architecture: str) -> None:
    model, weights = converted(tmp_path, architecture)
    with torch.no_grad():
        maps = model(torch.tensor([TEXT + QUESTION]), output_attentions=True).attentions
    decoder = Decoder(weights, last_layer=2, dtype=torch.float32)
    prefix = decoder.prefill(TEXT)
    heads = [Head(layer, head) for layer in range(3) for head in range(4)]
    for row in range(len(QUESTION)):
        scores = decoder.score(
            prefix, QUESTION, heads=heads, columns=(0, ALL - len(QUESTION)), rows=(row, row + 1)
        )
        expected = torch.stack(
            [maps[h.layer][0, h.head, len(TEXT) + row, : len(TEXT)] for h in heads]
        )
        torch.testing.assert_close(scores, expected, rtol=1e-3, atol=1e-5)


def test_rows_are_weighted_and_question_columns_can_be_asked(tmp_path: Path) -> None:
    model, weights = converted(tmp_path, "qwen2")
    with torch.no_grad():
        maps = model(torch.tensor([TEXT + QUESTION]), output_attentions=True).attentions
    decoder = Decoder(weights, last_layer=1, dtype=torch.float32)
    mass = torch.tensor([0.0, 2.0, 1.0])
    scores = decoder.score(
        decoder.prefill(TEXT),
        QUESTION,
        heads=[Head(1, 2), Head(0, 0)],
        columns=(10, 15),
        rows=(0, 3),
        row_weights=mass,
    )
    rows = slice(len(TEXT), len(TEXT) + 3)
    expected = torch.stack([mass @ maps[1][0, 2, rows, 10:15], mass @ maps[0][0, 0, rows, 10:15]])
    torch.testing.assert_close(scores, expected, rtol=1e-3, atol=1e-5)


def test_a_prefix_can_be_asked_many_times(tmp_path: Path) -> None:
    _, weights = converted(tmp_path, "qwen3")
    decoder = Decoder(weights, last_layer=2)
    prefix = decoder.prefill(TEXT)
    asked: dict[str, Any] = {"heads": [Head(2, 1)], "columns": (0, len(TEXT))}
    first = decoder.score(prefix, QUESTION, **asked)
    decoder.score(prefix, [1, 2, 3], **asked)
    assert torch.equal(first, decoder.score(prefix, QUESTION, **asked))


def test_only_the_layers_needed_are_loaded(tmp_path: Path) -> None:
    _, weights = converted(tmp_path, "qwen2")
    (weights.folder / "layer-02.safetensors").unlink()
    decoder = Decoder(weights, last_layer=1)
    assert len(decoder.prefill(TEXT).values) == 1
    with pytest.raises(ModelCorrupt, match="cannot be read"):
        Decoder(weights, last_layer=2)


def test_bfloat16_stays_near_float32(tmp_path: Path) -> None:
    _, weights = converted(tmp_path, "llama")
    asked: dict[str, Any] = {"heads": [Head(0, h) for h in range(4)], "columns": (0, len(TEXT))}
    exact, rounded = (
        decoder.score(decoder.prefill(TEXT), QUESTION, **asked)
        for decoder in (
            Decoder(weights, last_layer=0, dtype=torch.float32),
            Decoder(weights, last_layer=0, dtype=torch.bfloat16),
        )
    )
    assert (exact - rounded).abs().max() < 0.05


def test_refusals(tmp_path: Path) -> None:
    _, weights = converted(tmp_path, "llama")
    with pytest.raises(ReadingError, match="no layer 3"):
        Decoder(weights, last_layer=3)
    decoder = Decoder(weights, last_layer=0)
    with pytest.raises(ReadingError, match="nothing to read"):
        decoder.prefill([])
    with pytest.raises(ReadingError, match="exceed the model's context"):
        decoder.prefill([1] * (CONTEXT + 1))
    with pytest.raises(ReadingError, match="token id"):
        decoder.prefill([100_000])
    prefix = decoder.prefill(TEXT)
    with pytest.raises(ReadingError, match="layers up to 0"):
        decoder.score(prefix, QUESTION, heads=[Head(1, 0)], columns=(0, 4))
    with pytest.raises(ReadingError, match="rows 2:9"):
        decoder.score(prefix, QUESTION, heads=[Head(0, 0)], columns=(0, 4), rows=(2, 9))


def test_cancelling_stops_a_read(tmp_path: Path) -> None:
    _, weights = converted(tmp_path, "llama")
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        Decoder(weights, last_layer=1).prefill(TEXT, cancel=cancel)


def test_missing_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    _, weights = converted(tmp_path, "qwen2")
    path = weights.folder / "layer-00.safetensors"
    tensors = load_file(path)
    save_file(tensors | {"attn_k.weight": torch.zeros(3, 3)}, path)
    with pytest.raises(ModelCorrupt, match=r"attn_k\.weight has the shape \(3, 3\)"):
        Decoder(weights, last_layer=0)
    del tensors["attn_q.weight"]
    save_file(tensors, path)
    with pytest.raises(ModelCorrupt, match=r"attn_q\.weight is missing"):
        Decoder(weights, last_layer=0)


def test_the_type_follows_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert compute_dtype() is torch.bfloat16
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    assert compute_dtype() is torch.float32


@pytest.mark.slow
def test_the_real_model_attends_as_in_transformers(real_models: Callable[..., None]) -> None:
    from leadline.runtime.catalogue import resolve
    from leadline.runtime.tokenizer import TextTokenizer

    real_models("qwen2.5-coder-0.5b")
    files = resolve("qwen2.5-coder-0.5b")
    weights = convert(files.weights, sha256=files.sha256)
    tokenizer = TextTokenizer(weights.tokenizer)
    text = tokenizer.encode("The lead line sounds the depth under the keel. 圆周率约为3.14。").ids
    question = tokenizer.encode(" How deep is the sea?").ids
    model = load_converted(weights, layers=14)
    with torch.no_grad():
        maps = model(torch.tensor([text + question]), output_attentions=True).attentions
    decoder = Decoder(weights, last_layer=13, dtype=torch.float32)
    heads = [Head(layer, head) for layer in (0, 6, 13) for head in range(14)]
    scores = decoder.score(decoder.prefill(text), question, heads=heads, columns=(0, len(text)))
    expected = torch.stack(
        [maps[h.layer][0, h.head, len(text) :, : len(text)].mean(dim=0) for h in heads]
    )
    torch.testing.assert_close(scores, expected, rtol=1e-2, atol=1e-4)
