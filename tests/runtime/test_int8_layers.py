"""Layers in int8: close to bfloat16, never mixed up with it, and chosen by what is found."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from pathlib import Path

import pytest
import torch

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ReadingError
from leadline.kernels import reference
from leadline.kernels.tiers import Kernels, select
from leadline.runtime.attention_method import AttentionMethod, calibrated_heads
from leadline.runtime.converted_model import ConvertedModel
from leadline.runtime.decoder import Branch, Decoder
from leadline.runtime.gguf_weights import convert
from leadline.runtime.heads import Head, HeadTable, ScoredHead
from leadline.runtime.int8_layers import Sample, choose_int8_layers, usable_int8_layers
from leadline.runtime.tokenizer import TextTokenizer
from leadline.runtime.window_attention import WindowAttention
from leadline.runtime.window_store import WindowStore
from leadline.runtime.windows import WindowBuilder

from .test_links import LAMP, TARN, TOWN
from .tiny_models import make_model, write_gguf

IDS = list(range(5, 90))
HEADS = (Head(2, 1), Head(0, 3))
METHOD = AttentionMethod("heads", HEADS)


@pytest.fixture
def weights(home: Path, tmp_path: Path) -> ConvertedModel:
    return convert(write_gguf(make_model("qwen2", context=512), tmp_path / "tiny.gguf"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_int8_is_close(weights: ConvertedModel, dtype: torch.dtype) -> None:
    exact = Decoder(weights, last_layer=2, dtype=dtype)
    low = Decoder(weights, last_layer=2, dtype=dtype, int8_layers=range(3))
    branches = [Branch([7, 8, 9], (0, 3))]
    [[expected]] = exact.score_many([exact.prefill(IDS)], branches, heads=HEADS)
    [[found]] = low.score_many([low.prefill(IDS)], branches, heads=HEADS)
    assert not torch.equal(found, expected)
    correlation = torch.corrcoef(torch.stack([found.flatten(), expected.flatten()]))[0, 1]
    assert correlation > 0.95


def test_only_the_layers_that_are_named_are_int8(weights: ConvertedModel) -> None:
    exact = Decoder(weights, last_layer=2, dtype=torch.float32).prefill(IDS)
    mixed = Decoder(weights, last_layer=2, dtype=torch.float32, int8_layers=[1]).prefill(IDS)
    assert torch.equal(mixed.keys[0], exact.keys[0])
    assert not torch.equal(mixed.keys[1], exact.keys[1])


def test_layers_that_are_not_loaded_are_refused(weights: ConvertedModel) -> None:
    with pytest.raises(ReadingError, match="not all loaded"):
        Decoder(weights, last_layer=1, int8_layers=[0, 2])


def head_table(int8_layers: tuple[int, ...] = ()) -> HeadTable:
    return HeadTable(
        model_id="tiny",
        gguf_sha256="0" * 64,
        heads=(ScoredHead(layer=1, head=0, score=1.0),),
        calibrated_on=(),
        created=date(2026, 1, 1),
        int8_layers=int8_layers,
    )


def test_a_table_without_the_field_has_none() -> None:
    old = head_table((1,)).model_dump_json(exclude={"int8_layers"})
    assert HeadTable.model_validate_json(old).int8_layers == ()


def test_a_tables_layers_are_used_where_int8_is_fast() -> None:
    table = head_table((0, 2, 3))
    tiers: list[Kernels] = [reference, select()]
    for kernels in tiers:
        expected = (0, 2) if kernels.INT8_IS_FAST else ()
        assert usable_int8_layers(calibrated_heads(table), 2, kernels) == expected


def test_windows_in_int8_are_stored_apart(weights: ConvertedModel) -> None:
    builder = WindowBuilder(TextTokenizer(weights.tokenizer))
    windows = [builder.build([LAMP])]
    with WindowStore(warn=pytest.fail) as store:
        for layers in ((), (0,), (0,), (0, 1)):
            decoder = Decoder(weights, last_layer=2, int8_layers=layers)
            attention = WindowAttention(decoder, builder, METHOD, store=store)
            attention.ask(windows, ["Who wrote it?"], keep=True, cancel=Cancellation())
        assert store.stats().memory_windows == 3
        assert store.stats().hits == 1


class Choosing:
    """Chooses layers for a tiny model; ``spoilt`` layers in int8 make it read another model."""

    def __init__(self, weights: ConvertedModel, other: ConvertedModel, spoilt: Collection[int]):
        self.builder = WindowBuilder(TextTokenizer(weights.tokenizer))
        self._models = weights, other
        self._spoilt = set(spoilt)

    def open(self, layers: Collection[int]) -> Decoder:
        model = self._models[bool(self._spoilt & set(layers))]
        return Decoder(model, last_layer=2, dtype=torch.float32)

    def choose(self, target: float, cancel: Cancellation | None = None) -> tuple[int, ...]:
        passages = [LAMP, TOWN, TARN] * 3
        samples = [Sample(self.builder.build(passages), "Who wrote the novel?")]
        choice = choose_int8_layers(
            self.open,
            self.builder,
            METHOD,
            samples,
            target=target,
            cancel=cancel or Cancellation(),
        )
        assert choice.overlap >= target
        return choice.layers


@pytest.fixture
def other(home: Path, tmp_path: Path) -> ConvertedModel:
    model = make_model("qwen2", context=512)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "k_proj" in name:
                parameter.neg_()
    return convert(write_gguf(model, tmp_path / "other.gguf"))


def test_layers_that_change_the_evidence_stay_in_bfloat16(
    weights: ConvertedModel, other: ConvertedModel
) -> None:
    assert Choosing(weights, other, []).choose(1.0) == (0, 1, 2)
    assert Choosing(weights, other, [1]).choose(1.0) == (0, 2)
    assert Choosing(weights, other, [0, 1, 2]).choose(1.0) == ()


def test_choosing_needs_something_to_read_and_can_be_stopped(
    weights: ConvertedModel, other: ConvertedModel
) -> None:
    choosing = Choosing(weights, other, [])
    with pytest.raises(ReadingError, match="no windows"):
        choose_int8_layers(choosing.open, choosing.builder, METHOD, [], cancel=Cancellation())
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        choosing.choose(1.0, cancel)
