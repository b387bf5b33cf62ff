"""Converting a Hugging Face folder once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ModelCorrupt, ReadingError
from leadline.locations import locations
from leadline.runtime.decoder import Decoder
from leadline.runtime.huggingface_weights import convert_folder, folder_digest
from leadline.runtime.tokenizer import TextTokenizer

from .tiny_models import GEMMA, make_model, vocabulary, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(make_model("qwen3"), tmp_path / "tiny")


def leftovers() -> list[str]:
    converted = locations().cache / "converted"
    return sorted(p.name for p in converted.iterdir() if p.name.startswith("."))


def change_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_shapes_come_from_the_configuration(folder: Path) -> None:
    model = convert_folder(folder)
    config = model.config
    assert (config.architecture, config.layers, config.width) == ("qwen3", 3, 64)
    assert (config.heads, config.key_heads, config.head_width) == (4, 2, 16)
    assert (config.vocabulary, config.adjacent_pairs) == (len(vocabulary()), False)
    assert config.source_sha256 == folder_digest(folder)
    assert model.layer(1)["attn_q.weight"].dtype == torch.bfloat16
    assert model.layer(1)["attn_norm.weight"].dtype == torch.float32
    tokenizer = TextTokenizer(model.tokenizer)
    assert tokenizer.encode("the").ids == [vocabulary().index("the")]
    assert tokenizer.control_id("<|im_end|>") is not None


def test_it_is_done_once_for_the_same_files(folder: Path, tmp_path: Path) -> None:
    told: list[int] = []
    first = convert_folder(folder, progress=lambda task, done, total, unit: told.append(done))
    assert told[-1] == 6
    assert convert_folder(shutil.copytree(folder, tmp_path / "copy")) == first
    change_config(folder, rope_theta=5000.0)
    assert convert_folder(folder).folder != first.folder
    assert leftovers() == []


def test_weights_in_several_files(tmp_path: Path) -> None:
    model = make_model("llama", tied=False)
    whole = convert_folder(write_folder(model, tmp_path / "whole"))
    folder = write_folder(model, tmp_path / "parts", shard_size="60KB")
    assert len(list(folder.glob("*.safetensors"))) > 2
    parts = convert_folder(folder)
    for layer in range(3):
        torch.testing.assert_close(parts.layer(layer), whole.layer(layer), rtol=0, atol=0)
    torch.testing.assert_close(parts.output(), whole.output(), rtol=0, atol=0)
    next(folder.glob("model-*2-of*.safetensors")).unlink()
    with pytest.raises(ModelCorrupt, match="cannot read"):
        convert_folder(folder)


def test_the_text_model_of_one_that_also_sees(tmp_path: Path) -> None:
    text = write_folder(make_model(GEMMA), tmp_path / "text")
    seeing = shutil.copytree(text, tmp_path / "seeing")
    content = json.loads((text / "config.json").read_text())
    content = {"model_type": "gemma3", "text_config": content, "vision_config": {}}
    (seeing / "config.json").write_text(json.dumps(content))
    tensors = load_file(text / "model.safetensors")
    renamed = {f"language_model.{name}": tensor for name, tensor in tensors.items()}
    save_file(renamed | {"vision_tower.weight": torch.zeros(3)}, seeing / "model.safetensors")
    expected, found = convert_folder(text), convert_folder(seeing)
    same = {"source_sha256": ""}
    assert found.config.model_copy(update=same) == expected.config.model_copy(update=same)
    torch.testing.assert_close(found.layer(2), expected.layer(2), rtol=0, atol=0)
    assert Decoder(found, last_layer=2).prefill([1, 2, 3]).length == 3


def test_stopping_leaves_nothing_behind(folder: Path) -> None:
    cancel = Cancellation()
    with pytest.raises(Cancelled):
        convert_folder(
            folder, cancel=cancel, progress=lambda task, done, total, unit: cancel.cancel()
        )
    assert leftovers() == []


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"model_type": "mamba"}, "'mamba' model: choose one of: llama, qwen2, qwen3, gemma3"),
        ({"quantization_config": {"quant_method": "gptq"}}, "quantization_config"),
        ({"hidden_act": "relu"}, "activation relu"),
        (
            {"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0}},
            "rotary scaling yarn",
        ),
    ],
)
def test_what_is_not_known_is_refused(folder: Path, changes: dict[str, Any], match: str) -> None:
    change_config(folder, **changes)
    with pytest.raises(ReadingError, match=match):
        convert_folder(folder)
    assert leftovers() == []


def test_code_of_a_folder_is_not_run(folder: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (folder / "own.py").write_text(f"open({str(ran)!r}, 'w')\nclass C: pass\n")
    change_config(folder, auto_map={"AutoConfig": "own.C", "AutoModelForCausalLM": "own.C"})
    assert convert_folder(folder).config.layers == 3
    assert not ran.exists()


def test_damaged_folders_are_corrupt(folder: Path) -> None:
    whole = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    config, weights = folder / "config.json", folder / "model.safetensors"
    index = folder / "model.safetensors.index.json"
    for path, content in (
        (config, b"[]"),
        (config, b"{"),
        (config, b'{"model_type": "qwen3", "num_attention_heads": 0}'),
        (config, b'{"model_type": "qwen3", "hidden_size": "many"}'),
        (weights, b"no"),
        (weights, whole[weights][:200]),
        (index, b'{"weight_map": {"a": "../model.safetensors"}}'),
        (index, b'{"weight_map": {"a": 3}}'),
        (index, b"{}"),
    ):
        path.write_bytes(content)
        with pytest.raises(ModelCorrupt):
            convert_folder(folder)
        index.unlink(missing_ok=True)
        for known, good in whole.items():
            known.write_bytes(good)
    for path in (config, weights, folder / "tokenizer.json"):
        path.unlink()
        with pytest.raises(ModelCorrupt, match="No such file"):
            convert_folder(folder)
        path.write_bytes(whole[path])
    assert convert_folder(folder).config.layers == 3
    assert leftovers() == []


def test_missing_and_foreign_tensors_are_named(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    foreign = "model.layers.1.mlp.router.weight"
    save_file(tensors | {foreign: torch.zeros(3)}, path)
    with pytest.raises(ModelCorrupt, match=r"router\.weight"):
        convert_folder(folder)
    packed = {"model.layers.1.mlp.up_proj.weight": torch.zeros(3, 3, dtype=torch.int8)}
    save_file(tensors | packed, path)
    with pytest.raises(ReadingError, match="packed weights"):
        convert_folder(folder)
    change_config(folder, tie_word_embeddings=False)
    tensors.pop("lm_head.weight", None)
    save_file(tensors, path)
    with pytest.raises(ModelCorrupt, match="0 tensors named lm_head"):
        convert_folder(folder)
    save_file({"other": torch.zeros(3)}, path)
    with pytest.raises(ModelCorrupt, match="embed_tokens"):
        convert_folder(folder)
