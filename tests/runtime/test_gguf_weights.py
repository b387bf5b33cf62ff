"""Converting a GGUF file once."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import gguf
import pytest
import torch

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ModelCorrupt, ReadingError
from leadline.locations import locations
from leadline.runtime.gguf_weights import convert
from leadline.runtime.tokenizer import TextTokenizer

from .tiny_models import GEMMA, make_model, vocabulary, write_gguf


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_gguf(make_model("qwen3"), tmp_path / "tiny.gguf")


def leftovers() -> list[str]:
    folder = locations().cache / "converted"
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))


def test_shapes_come_from_the_metadata(path: Path) -> None:
    config = convert(path).config
    assert (config.architecture, config.layers, config.width) == ("qwen3", 3, 64)
    assert (config.heads, config.key_heads, config.head_width) == (4, 2, 16)
    assert config.vocabulary == len(vocabulary())
    assert not config.adjacent_pairs


def test_matrices_are_bfloat16_and_vectors_float32(path: Path) -> None:
    model = convert(path)
    layer = model.layer(1)
    assert layer["attn_q.weight"].dtype == torch.bfloat16
    assert layer["attn_norm.weight"].dtype == torch.float32
    assert set(model.embedding()) == {"token_embd.weight"}


def test_quantised_tensors_are_dequantised(tmp_path: Path) -> None:
    model = make_model("qwen2", layers=1)
    exact = convert(write_gguf(model, tmp_path / "exact.gguf")).layer(0)["ffn_up.weight"].float()
    path = write_gguf(model, tmp_path / "q8.gguf", quantisation=gguf.GGMLQuantizationType.Q8_0)
    quantised = convert(path).layer(0)["ffn_up.weight"].float()
    error = (quantised - exact).abs().max()
    assert 0 < error < 0.02


def test_it_is_done_once(path: Path) -> None:
    told: list[int] = []
    first = convert(path, progress=lambda task, done, total, unit: told.append(done))
    assert told[-1] == 6
    stamp = (first.folder / "layer-00.safetensors").stat().st_mtime_ns
    assert convert(path) == first
    assert (first.folder / "layer-00.safetensors").stat().st_mtime_ns == stamp
    assert leftovers() == []


def test_another_version_is_made_anew(path: Path) -> None:
    model = convert(path)
    config = model.folder / "config.json"
    config.write_text(config.read_text().replace('"format": 2', '"format": 1'))
    (model.folder / "layer-00.safetensors").write_bytes(b"old")
    assert convert(path).layer(0)["attn_q.weight"].shape == (64, 64)


def test_stopping_leaves_nothing_behind(path: Path) -> None:
    cancel = Cancellation()
    with pytest.raises(Cancelled):
        convert(path, cancel=cancel, progress=lambda task, done, total, unit: cancel.cancel())
    assert leftovers() == []
    assert convert(path).layer(2)["attn_k.weight"].shape == (32, 64)


def test_damaged_files_are_corrupt(path: Path) -> None:
    content = path.read_bytes()
    for damaged in (b"", b"GGUF", content[:200], content[: len(content) // 2], b"x" * 4096):
        path.write_bytes(damaged)
        with pytest.raises(ModelCorrupt, match=r"tiny\.gguf"):
            convert(path)
    path.unlink()
    with pytest.raises(ModelCorrupt, match="No such file"):
        convert(path)
    assert leftovers() == []


def test_other_architectures_are_refused_by_name(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(str(tmp_path / "other.gguf"), "mamba")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(ReadingError, match="'mamba' model"):
        convert(tmp_path / "other.gguf")


def test_a_damaged_conversion_names_its_folder(path: Path) -> None:
    model = convert(path)
    (model.folder / "layer-01.safetensors").write_bytes(b"no")
    with pytest.raises(ModelCorrupt, match="remove the folder"):
        model.layer(1)
    model.tokenizer.write_text("{}")
    with pytest.raises(ModelCorrupt, match="remove the folder"):
        TextTokenizer(model.tokenizer)


def test_text_is_tokenised_as_text(path: Path) -> None:
    tokenizer = TextTokenizer(convert(path).tokenizer)
    text = "the thé <|im_end|> 中"
    tokens = tokenizer.encode(text)
    control = tokenizer.control_id("<|im_end|>")
    assert control is not None and control not in tokens.ids
    assert tokenizer.control_id("<|other|>") is None
    assert tokens.ids[0] == vocabulary().index("the")
    assert {text[a:b] for a, b in tokens.offsets} >= {"the", "é", "<", "中"}
    assert tokenizer.encode("").ids == []


def test_the_sentencepiece_tokenizer_of_a_gemma(tmp_path: Path) -> None:
    path = write_gguf(make_model(GEMMA), tmp_path / "gemma.gguf", sentencepiece=True)
    tokenizer = TextTokenizer(convert(path).tokenizer)
    text = "the the <bos>"
    tokens = tokenizer.encode(text)
    assert tokens.ids[:2] == [7, 8]
    assert [text[a:b] for a, b in tokens.offsets[:2]] == ["the", " the"]
    assert tokenizer.control_id("<bos>") == 2 and 2 not in tokens.ids


@pytest.mark.slow
def test_ids_are_those_of_llama_cpp(real_models: Callable[..., None]) -> None:
    from llama_cpp import Llama

    from leadline.runtime.catalogue import resolve

    real_models("qwen2.5-coder-0.5b")
    files = resolve("qwen2.5-coder-0.5b")
    tokenizer = TextTokenizer(convert(files.weights, sha256=files.sha256).tokenizer)
    oracle = Llama(os.fspath(files.weights), vocab_only=True, verbose=False)
    for text in (
        "Hello world, it's 3.14 million in 2024!",
        "圆周率约为3.14。这是第二句！真的吗？",
        "def f(x):\n    return x  # ok\n\n\tend",
        "Émile  naïve — “quotes” 😀\u3000全角",
        "<|im_start|>user\nHi<|im_end|>\n",
    ):
        expected = oracle.tokenize(text.encode(), add_bos=False, special=False)
        assert tokenizer.encode(text).ids == expected
