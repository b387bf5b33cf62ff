"""Query likelihood on a tiny random model."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled
from leadline.runtime.decoder import Decoder
from leadline.runtime.gguf_weights import convert
from leadline.runtime.likelihood import LikelihoodRanker
from leadline.runtime.tokenizer import TextTokenizer

from .tiny_models import make_model, write_gguf

PASSAGES = ["Bread needs yeast.", "The sea is deep. " * 40, "", "海水是咸的。"]


@pytest.fixture
def ranker(home: Path, tmp_path: Path) -> LikelihoodRanker:
    model = convert(write_gguf(make_model("qwen2"), tmp_path / "tiny.gguf"))
    decoder = Decoder(model, last_layer=model.config.layers - 1, likelihood=True)
    return LikelihoodRanker(decoder, TextTokenizer(model.tokenizer))


def test_each_passage_is_ranked_as_if_alone(ranker: LikelihoodRanker) -> None:
    together = ranker.rank("what does bread need?", PASSAGES, cancel=Cancellation())
    assert all(score < 0 for score in together)
    for passage, score in zip(PASSAGES, together, strict=True):
        [alone] = ranker.rank("what does bread need?", [passage], cancel=Cancellation())
        assert alone == pytest.approx(score, abs=2e-2)


def test_what_goes_through_the_model_is_counted(ranker: LikelihoodRanker) -> None:
    asked = ranker.ask("what does bread need?", PASSAGES, cancel=Cancellation())
    assert asked.scores == ranker.rank("what does bread need?", PASSAGES, cancel=Cancellation())
    [once, twice] = [
        ranker.ask("why?", ["the sea"] * times, cancel=Cancellation()).read_tokens
        for times in (1, 2)
    ]
    assert 0 < 2 * once == twice


def test_no_passages_no_scores(ranker: LikelihoodRanker) -> None:
    assert ranker.rank("anything?", [], cancel=Cancellation()) == []


def test_cancelling_stops_it(ranker: LikelihoodRanker) -> None:
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        ranker.rank("anything?", PASSAGES, cancel=cancel)
