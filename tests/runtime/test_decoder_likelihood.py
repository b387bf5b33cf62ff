"""How much a decoder expects a question, against the logits of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ModelCorrupt, ReadingError
from leadline.runtime import output_head
from leadline.runtime.decoder import Branch, Decoder, Prefix
from leadline.runtime.gguf_weights import convert
from leadline.runtime.heads import Head

from .tiny_models import make_model, write_gguf

TEXTS = [[7, 3, 9, 200, 4, 4, 90, 31, 32, 33, 8, 2], [80, 81, 82], []]
WEIGHTS = torch.tensor([0.5, 0.0, 2.0])
BRANCHES = [
    Branch([5, 60, 61, 9], (1, 4)),
    Branch([1, 2, 3, 150, 17, 18, 19, 20], (4, 6)),
    Branch([5, 60, 61, 9], (1, 4), WEIGHTS),
]


def made(tmp_path: Path, *, tied: bool = True) -> tuple[Any, Decoder]:
    model = make_model("qwen2", tied=tied)
    weights = convert(write_gguf(model, tmp_path / "tiny.gguf"))
    return model, Decoder(weights, last_layer=2, dtype=torch.float32, likelihood=True)


def read(decoder: Decoder) -> list[Prefix]:
    return [decoder.prefill(text) if text else Prefix(0) for text in TEXTS]


def expected_likelihood(model: Any, text: list[int], branch: Branch) -> torch.Tensor:
    ids = torch.tensor([*text, *branch.ids])
    with torch.no_grad():
        logs = model(ids[None]).logits[0].log_softmax(dim=-1)
    first, last = (len(text) + row for row in branch.rows)
    found: torch.Tensor = logs[torch.arange(first - 1, last - 1), ids[first:last]]
    return found.mean() if branch.row_weights is None else branch.row_weights @ found


def test_it_reads_up_to_a_layer_as_a_decoder_that_ends_there(tmp_path: Path) -> None:
    weights = convert(write_gguf(make_model("qwen2"), tmp_path / "tiny.gguf"))
    whole = Decoder(weights, last_layer=2, dtype=torch.float32, likelihood=True)
    ending = Decoder(weights, last_layer=1, dtype=torch.float32)
    heads, branch = [Head(1, 2), Head(0, 1)], Branch([5, 60, 61, 9], (1, 4))
    for text in filter(None, TEXTS):
        [found], expected = whole.prefill_many([text], last_layer=1), ending.prefill(text)
        assert len(found.keys) == 2 and len(found.values) == 1
        torch.testing.assert_close(found.keys, expected.keys)
        torch.testing.assert_close(found.values, expected.values)
        torch.testing.assert_close(
            whole.score_many([found], [branch], heads=heads),
            ending.score_many([expected], [branch], heads=heads),
        )
    for missing in (-1, 3):
        with pytest.raises(ReadingError, match="layers up to 2"):
            whole.prefill_many(TEXTS[:1], last_layer=missing)


@pytest.mark.parametrize("tied", [True, False])
def test_likelihood_is_that_of_transformers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tied: bool
) -> None:
    # Many slices, so that the ids lie in several of them.
    monkeypatch.setattr(output_head, "_VOCABULARY_SLICE", 50)
    monkeypatch.setattr(output_head, "_STEP", 3)
    model, decoder = made(tmp_path, tied=tied)
    found = decoder.log_likelihood(read(decoder), BRANCHES)
    expected = [[expected_likelihood(model, text, b) for b in BRANCHES] for text in TEXTS]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-4, atol=1e-4)


def test_bfloat16_stays_near_float32(tmp_path: Path) -> None:
    model = make_model("qwen2")
    weights = convert(write_gguf(model, tmp_path / "tiny.gguf"))
    exact, rounded = (
        decoder.log_likelihood(read(decoder), BRANCHES)
        for decoder in (
            Decoder(weights, last_layer=2, dtype=torch.float32, likelihood=True),
            Decoder(weights, last_layer=2, dtype=torch.bfloat16, likelihood=True),
        )
    )
    torch.testing.assert_close(rounded, exact, rtol=0.05, atol=0.05)


def test_the_last_layer_still_scores(tmp_path: Path) -> None:
    _, decoder = made(tmp_path)
    scoring = Decoder(convert(tmp_path / "tiny.gguf"), last_layer=2, dtype=torch.float32)
    for one in (decoder, scoring):
        assert len(one.prefill(TEXTS[0]).values) == (3 if one is decoder else 2)
    heads = [Head(2, 1), Head(0, 3)]
    found, expected = (
        one.score_many([one.prefill(TEXTS[0])], BRANCHES, heads=heads) for one in (decoder, scoring)
    )
    torch.testing.assert_close(found, expected)


def test_readers_that_exit_early_do_not_load_it(tmp_path: Path) -> None:
    weights = convert(write_gguf(make_model("qwen2", tied=False), tmp_path / "tiny.gguf"))
    assert set(weights.output()) == {"output_norm.weight", "output.weight"}
    (weights.folder / "output.safetensors").unlink()
    Decoder(weights, last_layer=2)
    with pytest.raises(ModelCorrupt, match="cannot be read"):
        Decoder(weights, last_layer=2, likelihood=True)


def test_refusals(tmp_path: Path) -> None:
    _, decoder = made(tmp_path)
    weights = convert(tmp_path / "tiny.gguf")
    with pytest.raises(ReadingError, match="all 3 layers, 2 are asked for"):
        Decoder(weights, last_layer=1, likelihood=True)
    scoring = Decoder(weights, last_layer=2)
    with pytest.raises(ReadingError, match="without its output"):
        scoring.log_likelihood(read(decoder), BRANCHES)
    with pytest.raises(ReadingError, match="needed are 3 and 3"):
        decoder.log_likelihood([Decoder(weights, last_layer=1).prefill([1, 2])], BRANCHES)
    with pytest.raises(ReadingError, match="values of 2, needed"):
        decoder.log_likelihood([scoring.prefill([1, 2])], BRANCHES)
    with pytest.raises(ReadingError, match="first id of a branch"):
        decoder.log_likelihood(read(decoder), [Branch([1, 2], (0, 2))])
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        decoder.log_likelihood(read(decoder), BRANCHES, cancel=cancel)
