"""The embedder on a tiny random BERT, and the real one where it is at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ModelCorrupt
from leadline.runtime.embedder import Embedder

TEXTS = ["the sea", "a lead line sounds the depth", "", "the sea", "depth " * 400]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel

    words = ["[PAD]", "[UNK]", "[CLS]", "the", "sea", "a", "lead", "line", "sounds", "depth"]
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A", special_tokens=[("[CLS]", 2)]
    )
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=256,
    )
    BertModel(config).save_pretrained(tmp_path)
    return tmp_path


def test_rows_have_length_one_and_follow_the_texts(folder: Path) -> None:
    embedder = Embedder(folder, model_id="tiny")
    vectors = embedder.embed(TEXTS)
    assert vectors.shape == (5, embedder.dimensions) == (5, 16)
    assert vectors.dtype == np.float32
    lengths = np.linalg.norm(vectors, axis=1)
    np.testing.assert_allclose(lengths, 1.0, rtol=1e-5)
    np.testing.assert_allclose(vectors[0], vectors[3], atol=1e-5)
    assert not np.allclose(vectors[0], vectors[1], atol=1e-3)


def test_padding_and_batch_mates_change_nothing(folder: Path) -> None:
    embedder = Embedder(folder, model_id="tiny")
    together = embedder.embed(TEXTS)
    alone = np.concatenate([embedder.embed([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_no_texts_give_no_rows(folder: Path) -> None:
    assert Embedder(folder, model_id="tiny").embed([]).shape == (0, 16)


def test_progress_is_told(folder: Path) -> None:
    told: list[tuple[int, int | None]] = []
    Embedder(folder, model_id="tiny").embed(
        TEXTS, progress=lambda task, done, total, unit: told.append((done, total))
    )
    assert told[-1] == (5, 5)


def test_cancelling_stops(folder: Path) -> None:
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        Embedder(folder, model_id="tiny").embed(TEXTS, cancel=cancel)


@pytest.mark.parametrize("name", ["tokenizer.json", "config.json", "model.safetensors"])
def test_damaged_files_are_named(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    for damaged in (content[: len(content) // 2], b""):
        (folder / name).write_bytes(damaged)
        with pytest.raises(ModelCorrupt, match="'tiny'"):
            Embedder(folder, model_id="tiny")
    (folder / name).unlink()
    with pytest.raises(ModelCorrupt, match="leadline models pull tiny"):
        Embedder(folder, model_id="tiny")


def test_missing_tensors_and_nan_weights_are_corrupt(folder: Path) -> None:
    path = folder / "model.safetensors"
    tensors = load_file(path)
    broken = {name: tensor * float("nan") for name, tensor in tensors.items()}
    save_file(broken, path, metadata={"format": "pt"})
    with pytest.raises(ModelCorrupt, match="no finite numbers"):
        Embedder(folder, model_id="tiny").embed(["sea"])
    del tensors["encoder.layer.0.output.dense.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ModelCorrupt, match=r"encoder\.layer\.0\.output\.dense\.weight"):
        Embedder(folder, model_id="tiny")


@pytest.mark.slow
def test_the_real_model_ranks(real_models: Callable[..., None]) -> None:
    from leadline.runtime.catalogue import resolve

    real_models("all-minilm-l6-v2")
    files = resolve("all-minilm-l6-v2")
    embedder = Embedder(files.folder, model_id=files.id)
    question, *answers = embedder.embed(
        ["How deep is the sea?", "The ocean is 3.7 km deep on average.", "Bread needs yeast."]
    )
    assert question @ answers[0] > question @ answers[1] + 0.2
