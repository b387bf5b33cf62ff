"""Choosing heads by gold passages and look-alikes."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, InputError
from leadline.evidence import Page
from leadline.runtime.calibration import (
    CalibrationQuestion,
    choose_heads,
    ndcg,
    passage_attention,
)
from leadline.runtime.decoder import Decoder
from leadline.runtime.gguf_weights import convert
from leadline.runtime.heads import Head
from leadline.runtime.passages import Passage
from leadline.runtime.tokenizer import TextTokenizer
from leadline.runtime.windows import WindowBuilder

from .tiny_models import make_model, write_gguf


def passages(*texts: str) -> tuple[Passage, ...]:
    pages = [
        Page(
            page_id=hashlib.sha256(text.encode()).hexdigest(),
            url="https://a.example",
            final_url="https://a.example",
            fetched_at=datetime(2026, 1, 1, tzinfo=UTC),
            media_type="text/plain",
            title=f"Title {number}",
            text=text,
        )
        for number, text in enumerate(texts)
    ]
    return tuple(Passage(page, 0, len(page.text)) for page in pages)


@pytest.fixture
def tiny(tmp_path: Path) -> tuple[Decoder, WindowBuilder]:
    weights = convert(write_gguf(make_model("qwen3", context=1024), tmp_path / "tiny.gguf"))
    return Decoder(weights, last_layer=1), WindowBuilder(TextTokenizer(weights.tokenizer))


ITEMS = [
    CalibrationQuestion("how deep", passages("The sea is deep.", "Bread rises.", "Ships"), (0,)),
    CalibrationQuestion("what rises", passages("The sea is deep.", "Bread rises.", "Ships"), (1,)),
]


def test_ndcg_of_every_head() -> None:
    scores = torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]])
    torch.testing.assert_close(ndcg(scores, [0]), torch.tensor([1.0, 0.5, 0.5]), rtol=1e-3, atol=0)
    both = ndcg(scores, [0, 2])
    expected = [1.5 / 1.6309, 1.5 / 1.6309, (0.6309 + 0.5) / 1.6309]
    torch.testing.assert_close(both, torch.tensor(expected), rtol=1e-3, atol=0)


def test_the_chosen_heads_are_those_that_rank_best_alone(
    tiny: tuple[Decoder, WindowBuilder],
) -> None:
    decoder, windows = tiny
    told: list[int] = []
    chosen = choose_heads(
        decoder, windows, ITEMS, count=3, progress=lambda task, done, total, unit: told.append(done)
    )
    every = [Head(layer, head) for layer in range(2) for head in range(4)]
    quality = torch.stack(
        [ndcg(passage_attention(decoder, windows, every, item), item.gold) for item in ITEMS]
    ).mean(dim=0)
    best = sorted(quality.tolist(), reverse=True)[:3]
    assert [head.score for head in chosen] == pytest.approx(best, abs=1e-4)
    assert told == [1, 2]


def test_attention_beyond_the_content_free_question(tiny: tuple[Decoder, WindowBuilder]) -> None:
    decoder, windows = tiny
    nothing = CalibrationQuestion("N/A", ITEMS[0].passages, (0,))
    scores = passage_attention(decoder, windows, [Head(0, 0), Head(1, 3)], nothing)
    assert torch.equal(scores, torch.zeros(2, 3))
    assert passage_attention(decoder, windows, [Head(0, 0)], ITEMS[0]).shape == (1, 3)


def test_a_title_counts_with_its_passage(tmp_path: Path) -> None:
    model = make_model("qwen3", context=1024)
    weights = convert(write_gguf(model, tmp_path / "tiny.gguf"))
    windows = WindowBuilder(TextTokenizer(weights.tokenizer))
    decoder = Decoder(weights, last_layer=1, dtype=torch.float32)
    [found] = passage_attention(decoder, windows, [Head(1, 2)], ITEMS[0])
    window = windows.build(ITEMS[0].passages)
    excess = torch.zeros(len(window.ids))
    for question, sign in ((ITEMS[0].question, 1), ("N/A", -1)):
        ids = [*window.ids, *windows.ask(question).ids]
        with torch.no_grad():
            maps = model(torch.tensor([ids]), output_attentions=True).attentions
        rows = maps[1][0, 2, len(window.ids) :, : len(window.ids)]
        excess += sign * rows.mean(dim=0)
    for number, placed in enumerate(window.passages):
        # In bytes: the blank line before the title, the title and its line end
        above = len("\n\n" + f"Title {number}\n")
        expected = excess[placed.start - above : placed.stop].sum()
        torch.testing.assert_close(found[number], expected, rtol=1e-2, atol=1e-4)


def test_calibration_needs_gold_and_other_passages(tiny: tuple[Decoder, WindowBuilder]) -> None:
    decoder, windows = tiny
    for gold in ((), (0, 1, 2)):
        with pytest.raises(InputError, match="gold and other"):
            choose_heads(decoder, windows, [CalibrationQuestion("q", ITEMS[0].passages, gold)])
    with pytest.raises(InputError, match="gold and other"):
        choose_heads(decoder, windows, [])


def test_calibration_can_be_stopped(tiny: tuple[Decoder, WindowBuilder]) -> None:
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        choose_heads(*tiny, ITEMS, cancel=cancel)


def test_a_window_knows_which_characters_each_column_is(
    tiny: tuple[Decoder, WindowBuilder], tmp_path: Path
) -> None:
    _, windows = tiny
    [whole] = passages("The sea is 3.7 km deep. 海洋很深。 It is salt.")
    parts = [Passage(whole.page, 0, 23), Passage(whole.page, 24, 29), Passage(whole.page, 30, 41)]
    window = windows.build(parts)
    assert [placed.passage for placed in window.passages] == parts
    for placed in window.passages:
        offsets = windows.offsets(placed.passage)
        assert len(offsets) == placed.stop - placed.start
        covered = {place for start, end in offsets for place in range(start, end)}
        assert covered == set(range(placed.passage.start, placed.passage.end))
    assert window.columns == (window.passages[0].top, window.passages[-1].stop)
    assert window.passages[0].top < window.passages[0].start
    assert window.passages[1].top == window.passages[1].start
    asked = windows.ask("how deep")
    assert asked.rows[1] - asked.rows[0] == len(" how deep")
    assert len(window.ids) < sum(windows.size(part) for part in parts) + windows.overhead("how")
