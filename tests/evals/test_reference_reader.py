"""Our InfiniRetri against the published package on the same weights.

The package is no dependency; where it is not installed these tests are skipped. The long texts are
those of multi-hop questions (``LEADLINE_MULTIHOP_DATA``), or made ones.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import fmean

import pytest

from leadline.errors import ConfigError, ReadingError
from leadline.evals.library_model import Precision, chat_template
from leadline.evals.reference_reader import (
    Implementation,
    OwnReader,
    PublishedReader,
    agreement,
    measure,
    why_not,
)
from leadline.runtime.catalogue import ModelFiles, resolve
from leadline.runtime.gguf_weights import convert
from leadline.runtime.heads import HeadTable, ScoredHead, save_head_table

from ..runtime.tiny_models import make_model, write_gguf

MODEL = "qwen2.5-coder-0.5b"
REASON = why_not()
needs_package = pytest.mark.skipif(REASON is not None, reason=REASON or "")

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def made_texts(count: int, sentences: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """Questions on texts of short, true and useless sentences."""
    chance = random.Random(seed)
    seas = ["Baltic", "Coral Sea", "Red Sea", "Aral", "Tasman", "Sargasso", "黑海", "Caspian"]
    things = ["salt", "3.14 km deep", "full of fish", "near Dr. Li's house", "cold in J. May"]
    cases = []
    for _ in range(count):
        told = []
        for number in range(sentences):
            end = chance.choice([". ", "! ", ".\n\n", "。", "? ", " - "])
            told.append(f"The {chance.choice(seas)} is {chance.choice(things)}, {number}{end}")
        cases.append((f"What is said of the {chance.choice(seas)}?", "".join(told)))
    return cases


@needs_package
@pytest.mark.parametrize("window_tokens", [150, 4000])
def test_a_tiny_model_keeps_the_same_sentences(tmp_path: Path, window_tokens: int) -> None:
    weights = convert(write_gguf(make_model("qwen2", context=8192), tmp_path / "tiny.gguf"))
    published = PublishedReader(
        weights, chat_template=CHATML, window_tokens=window_tokens, top_tokens=50
    )
    own = OwnReader(weights, window_tokens=window_tokens, top_tokens=50)
    for question, text in made_texts(2, 12):
        theirs, ours = published.read(question, text), own.read(question, text)
        assert ours.kept == theirs.kept
        assert (ours.windows, ours.text_tokens) == (theirs.windows, theirs.text_tokens)
        assert ours.read_tokens == theirs.read_tokens
        assert agreement(ours, theirs) == 1


@needs_package
def test_texts_that_the_package_cannot_read(tmp_path: Path) -> None:
    weights = convert(write_gguf(make_model("qwen2", context=8192), tmp_path / "tiny.gguf"))
    published = PublishedReader(weights, chat_template=CHATML)
    for text in ("", "? What a text begins with."):
        with pytest.raises(ReadingError, match="fails on this text"):
            published.read("How deep?", text)
    assert published.read("How deep?", "深" * 4000).kept == ()


@needs_package
def test_layouts_that_are_not_mapped_are_refused(tmp_path: Path) -> None:
    weights = convert(write_gguf(make_model("llama"), tmp_path / "tiny.gguf"))
    with pytest.raises(ReadingError, match="'llama' model cannot be handed"):
        PublishedReader(weights, chat_template=CHATML)


@pytest.mark.skipif(REASON is None, reason="the package is here")
def test_without_the_package_there_is_a_reason(tmp_path: Path) -> None:
    weights = convert(write_gguf(make_model("qwen2"), tmp_path / "tiny.gguf"))
    with pytest.raises(ConfigError, match=r"infini_retri cannot be imported .*: pip install"):
        PublishedReader(weights, chat_template=CHATML)


def test_our_side_is_measured_in_its_own_process(tmp_path: Path) -> None:
    path = write_gguf(make_model("qwen2", context=2048), tmp_path / "tiny.gguf")
    files = ModelFiles("tiny", "generator", tmp_path, path, sha256=None, context_length=None)
    cases = made_texts(2, 8)
    measured = measure("leadline", files, cases, precision="float32")
    assert [run.windows for run in measured.runs] == [1, 1]
    assert all(0 < run.text_tokens < run.read_tokens for run in measured.runs)
    assert all(run.seconds > 0 and run.cpu_seconds > 0 and run.kept_text for run in measured.runs)
    assert 50e6 < measured.peak_bytes < 20e9
    with pytest.raises(ReadingError, match="no chat template"):
        chat_template(path)


@pytest.mark.parametrize("implementation", ["heads", "heads on torch"])
def test_heads_are_measured_on_the_same_text(
    tmp_path: Path, implementation: Implementation
) -> None:
    path = write_gguf(make_model("qwen2", context=2048), tmp_path / "tiny.gguf")
    source = convert(path).config.source_sha256
    save_head_table(
        HeadTable(
            model_id="tiny",
            gguf_sha256=source,
            heads=(ScoredHead(layer=1, head=2, score=0.9),),
            calibrated_on=(),
            created=date(2026, 1, 1),
        )
    )
    files = ModelFiles("tiny", "generator", tmp_path, path, sha256=None, context_length=None)
    measured = measure(implementation, files, made_texts(1, 60))
    [run] = measured.runs
    assert run.windows > 1 and run.kept == ()
    assert run.read_tokens > run.text_tokens > 1024
    assert run.seconds > 0 and measured.peak_bytes > 50e6


def multihop_texts(count: int, *, max_chars: int) -> list[tuple[str, str]]:
    """Questions of MuSiQue with their paragraphs, as many as fit; made texts without the data."""
    folder = os.environ.get("LEADLINE_MULTIHOP_DATA")
    if folder is None:
        return made_texts(count, max_chars // 45)
    cases = []
    for item in json.loads((Path(folder) / "musique_train.json").read_text())[:count]:
        text = ""
        for paragraph in item["paragraphs"]:
            added = f"{paragraph['title']}\n{paragraph['paragraph_text']}\n\n"
            text += added if len(text) + len(added) <= max_chars else ""
        cases.append((item["question"], text))
    return cases


@pytest.mark.slow
@needs_package
@pytest.mark.parametrize(
    ("precision", "max_chars", "count", "least"),
    [("float32", 4000, 5, 0.99), ("bfloat16", 4000, 5, 0.8), ("bfloat16", 9000, 2, 0.7)],
)
def test_the_real_model_keeps_the_same_sentences(
    real_models: Callable[..., None], precision: Precision, max_chars: int, count: int, least: float
) -> None:
    real_models(MODEL)
    files = resolve(MODEL)
    weights = convert(files.weights, sha256=files.sha256)
    template = chat_template(files.weights)
    published = PublishedReader(weights, chat_template=template, precision=precision)
    own = OwnReader(weights, precision=precision)
    found = []
    for question, text in multihop_texts(count, max_chars=max_chars):
        theirs, ours = published.read(question, text), own.read(question, text)
        assert ours.windows == theirs.windows
        found.append(agreement(ours, theirs))
    assert fmean(found) >= least, found
