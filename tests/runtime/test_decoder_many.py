"""Many sequences and many questions in one pass, against one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ReadingError
from leadline.runtime import decoder as decoder_module
from leadline.runtime.decoder import Branch, Decoder, Prefix
from leadline.runtime.gguf_weights import convert
from leadline.runtime.heads import Head

from .tiny_models import CONTEXT, make_model, write_gguf

HEADS = [Head(2, 3), Head(0, 0), Head(1, 2), Head(1, 1), Head(2, 0)]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Decoder]:
    folder = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADLINE_HOME", str(folder / "home"))
        weights = convert(write_gguf(make_model("qwen3"), folder / "tiny.gguf"))
        yield Decoder(weights, last_layer=2, dtype=torch.float32)


@pytest.fixture(autouse=True, params=[48, 2048])
def batch_rows(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches smaller than the sequences together, and larger."""
    monkeypatch.setattr(decoder_module, "_BATCH_ROWS", request.param)


def made_ids(length: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 200, (length,), generator=generator).tolist()


def close(found: Any, expected: Any) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 40), max_size=6), seed=st.integers(0, 9))
def test_sequences_read_together_are_as_read_alone(
    decoder: Decoder, lengths: list[int], seed: int
) -> None:
    sequences = [made_ids(length, seed + place) for place, length in enumerate(lengths)]
    together = decoder.prefill_many(sequences)
    assert [prefix.length for prefix in together] == lengths
    for ids, prefix in zip(sequences, together, strict=True):
        alone = decoder.prefill(ids)
        assert len(prefix.keys) == 3 and len(prefix.values) == 2
        close(prefix.keys, alone.keys)
        close(prefix.values, alone.values)


@st.composite
def made_branches(draw: st.DrawFn) -> list[Branch]:
    branches = []
    for length in draw(st.lists(st.integers(1, 20), min_size=1, max_size=4)):
        first = draw(st.integers(0, length - 1))
        last = draw(st.integers(first + 1, length))
        weights = torch.rand(last - first) if draw(st.booleans()) else None
        ids = made_ids(length, draw(st.integers(0, 99)))
        branches.append(Branch(ids, (first, last), weights))
    return branches


@settings(max_examples=15, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    branches=made_branches(),
    data=st.data(),
)
def test_branches_score_as_questions_asked_one_by_one(
    decoder: Decoder, lengths: list[int], branches: list[Branch], data: st.DataObject
) -> None:
    prefixes = decoder.prefill_many([made_ids(length, length) for length in lengths])
    for prefix in prefixes:
        start = data.draw(st.integers(0, prefix.length - 1))
        prefix.columns = (start, data.draw(st.integers(start + 1, prefix.length)))
    found = decoder.score_many(prefixes, branches, heads=HEADS)
    assert len(found) == len(prefixes)
    for prefix, row in zip(prefixes, found, strict=True):
        assert prefix.columns is not None
        expected = [
            decoder.score(
                prefix,
                branch.ids,
                heads=HEADS,
                columns=prefix.columns,
                rows=branch.rows,
                row_weights=branch.row_weights,
            )
            for branch in branches
        ]
        close(row, expected)


def test_the_whole_prefix_is_scored_where_no_columns_are_given(decoder: Decoder) -> None:
    prefix = decoder.prefill(made_ids(20, 1))
    [[scores]] = decoder.score_many([prefix], [Branch([4, 5, 6], (2, 3))], heads=HEADS)
    assert scores.shape == (len(HEADS), 20)
    assert bool((scores >= 0).all()) and bool((scores.sum(dim=1) < 1).all())


def test_prefixes_are_left_as_they_were(decoder: Decoder) -> None:
    prefix = decoder.prefill(made_ids(30, 2))
    before = [key.clone() for key in prefix.keys]
    branches = [Branch([7, 8, 9], (0, 3)), Branch([1] * 9, (1, 2))]
    first = decoder.score_many([prefix, prefix], branches, heads=HEADS)
    assert (prefix.length, len(prefix.keys)) == (30, 3)
    close(prefix.keys, before)
    close(first[0], first[1])


def test_shallow_heads_need_no_deeper_layers(decoder: Decoder) -> None:
    prefix = decoder.prefill(made_ids(30, 3))
    shallow = Prefix(prefix.length, prefix.keys[:1])
    branch = Branch([7, 8, 9], (0, 3))
    [[whole]] = decoder.score_many([prefix], [branch], heads=[Head(0, 1)])
    [[found]] = decoder.score_many([shallow], [branch], heads=[Head(0, 1)])
    close(found, whole)


def test_nothing_to_read_or_to_ask(decoder: Decoder) -> None:
    prefix = decoder.prefill([1, 2, 3])
    assert decoder.prefill_many([]) == []
    assert decoder.score_many([], [Branch([1], (0, 1))], heads=HEADS) == []
    assert decoder.score_many([prefix], [], heads=HEADS) == [[]]
    [[scores]] = decoder.score_many([prefix], [Branch([1], (0, 1))], heads=[])
    assert scores.shape == (0, 3)


def test_refusals(decoder: Decoder) -> None:
    prefix = decoder.prefill([1] * 100)
    question = Branch([1, 2, 3], (0, 3))

    def refused(match: str, prefix: Prefix, branch: Branch, heads: list[Head]) -> None:
        with pytest.raises(ReadingError, match=match):
            decoder.score_many([prefix], [question, branch], heads=heads)

    refused("rows 2:4", prefix, Branch([1, 2, 3], (2, 4)), HEADS)
    refused("rows 1:1", prefix, Branch([1, 2, 3], (1, 1)), HEADS)
    refused("nothing to read|rows 0:0", prefix, Branch([], (0, 0)), HEADS)
    refused("do not fit 3 rows", prefix, Branch([1, 2, 3], (0, 3), torch.ones(2)), HEADS)
    refused("exceed the model's context", prefix, Branch([1] * CONTEXT, (0, 1)), HEADS)
    refused("token id", prefix, Branch([100_000], (0, 1)), HEADS)
    refused("layers up to 2", prefix, question, [Head(3, 0)])
    refused("4 heads", prefix, question, [Head(0, 4)])
    refused("columns 0:101", Prefix(100, prefix.keys, prefix.values, (0, 101)), question, HEADS)
    refused("columns 0:0", Prefix(0), question, HEADS)
    with pytest.raises(ReadingError, match="nothing to read"):
        decoder.prefill_many([[1, 2], []])


def test_stopping_between_batches(decoder: Decoder) -> None:
    cancel = Cancellation()
    told: list[int] = []

    def stop(task: str, done: int, total: int | None, unit: str) -> None:
        told.append(done)
        cancel.cancel()

    with pytest.raises(Cancelled):
        decoder.prefill_many(
            [made_ids(200, seed) for seed in range(40)], cancel=cancel, progress=stop
        )
    assert len(told) == 1
    prefix = decoder.prefill([1, 2, 3])
    with pytest.raises(Cancelled):
        decoder.score_many([prefix], [Branch([1], (0, 1))], heads=HEADS, cancel=cancel)
