"""Choosing heads by repeated random tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, InputError
from leadline.runtime.calibration_repeats import (
    describe_repeats,
    repeated_sequences,
    repeating_heads,
)
from leadline.runtime.decoder import Decoder
from leadline.runtime.gguf_weights import convert
from leadline.runtime.tokenizer import TextTokenizer

from .tiny_models import make_model, vocabulary, write_gguf


@pytest.fixture
def tiny(tmp_path: Path) -> tuple[Decoder, TextTokenizer]:
    weights = convert(write_gguf(make_model("qwen2"), tmp_path / "tiny.gguf"))
    decoder = Decoder(weights, last_layer=1, dtype=torch.float32)
    return decoder, TextTokenizer(weights.tokenizer)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.integers(64, 300), seed=st.integers(0, 1000))
def test_both_halves_are_the_same_distinct_tokens(
    tiny: tuple[Decoder, TextTokenizer], limit: int, seed: int
) -> None:
    _, tokenizer = tiny
    sequences = repeated_sequences(tokenizer, count=2, limit=limit, seed=seed)
    assert sequences == repeated_sequences(tokenizer, count=2, limit=limit, seed=seed)
    assert sequences[0] != sequences[1]
    for ids in sequences:
        half = len(ids) // 2
        assert len(ids) <= limit
        assert ids[:half] == ids[half:]
        assert len(set(ids)) == half
        assert max(ids) < len(vocabulary()) - 2, "the last two are control tokens"


def test_a_context_that_is_too_short(tiny: tuple[Decoder, TextTokenizer]) -> None:
    with pytest.raises(InputError, match="too few to repeat"):
        repeated_sequences(tiny[1], count=1, limit=40)


def test_the_score_is_the_attention_to_the_echo_and_to_what_followed_it(
    tiny: tuple[Decoder, TextTokenizer],
) -> None:
    decoder, tokenizer = tiny
    sequences = repeated_sequences(tokenizer, count=2, limit=256)
    told: list[int] = []
    chosen = repeating_heads(
        decoder, sequences, count=3, progress=lambda task, done, total, unit: told.append(done)
    )
    assert told == [1, 2]
    expected = torch.zeros(2, 4)
    model = make_model("qwen2")
    for ids in sequences:
        with torch.no_grad():
            maps = model(torch.tensor([ids]), output_attentions=True).attentions
        half = len(ids) // 2
        rows = range(half + half // 2, half + half // 2 + 16)
        for row in rows:
            for layer in range(2):
                seen = maps[layer][0, :, row]
                expected[layer] += (seen[:, row - half] + seen[:, row - half + 1]) / 32
    best = sorted(expected.flatten().tolist(), reverse=True)[:3]
    assert [head.score for head in chosen] == pytest.approx(best, abs=1e-3)
    for head in chosen:
        assert head.score == pytest.approx(float(expected[head.layer, head.head]), abs=1e-3)


def test_what_a_table_says_of_the_sequences(tiny: tuple[Decoder, TextTokenizer]) -> None:
    sequences = repeated_sequences(tiny[1], count=2, limit=256)
    described = describe_repeats(sequences)
    assert described.questions == 2
    assert described.sha256 != describe_repeats(sequences[:1]).sha256


def test_it_can_be_stopped(tiny: tuple[Decoder, TextTokenizer]) -> None:
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        repeating_heads(tiny[0], repeated_sequences(tiny[1], count=1, limit=256), cancel=cancel)
