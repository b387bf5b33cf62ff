"""Windows of a tiny random model, read once and asked again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled
from leadline.runtime.attention_method import AttentionMethod, in_context_reranking
from leadline.runtime.decoder import Decoder
from leadline.runtime.gguf_weights import convert
from leadline.runtime.heads import Head
from leadline.runtime.passages import Passage
from leadline.runtime.tokenizer import TextTokenizer
from leadline.runtime.window_attention import Asked, WindowAttention
from leadline.runtime.window_store import WindowStore
from leadline.runtime.windows import Window, WindowBuilder

from .test_links import LAMP, TARN, TOWN
from .tiny_models import make_model, write_gguf

QUESTIONS = ("Who wrote the novel?", "Where was she born?")
HEADS = AttentionMethod("heads", (Head(1, 2), Head(0, 1)))


class Parts:
    """What a :class:`WindowAttention` is made of."""

    def __init__(self, folder: Path, store: WindowStore) -> None:
        model = convert(write_gguf(make_model("qwen2", context=512), folder / "tiny.gguf"))
        self.config = model.config
        self.decoder = Decoder(model, last_layer=model.config.layers - 1)
        self.builder = WindowBuilder(TextTokenizer(model.tokenizer))
        self.store = store

    def attention(self, method: AttentionMethod = HEADS) -> WindowAttention:
        return WindowAttention(self.decoder, self.builder, method, store=self.store)

    def windows(self, *passages: Passage) -> list[Window]:
        return [self.builder.build([passage]) for passage in passages]


@pytest.fixture
def parts(home: Path, tmp_path: Path) -> Iterator[Parts]:
    with WindowStore(warn=pytest.fail) as store:
        yield Parts(tmp_path, store)


def ask(
    attention: WindowAttention,
    windows: list[Window],
    questions: tuple[str, ...] = QUESTIONS,
    *,
    keep: bool = True,
) -> Asked:
    return attention.ask(windows, questions, keep=keep, cancel=Cancellation())


def assert_same(left: Asked, right: Asked) -> None:
    for mine, other in zip(left.columns, right.columns, strict=True):
        for a, b in zip(mine, other, strict=True):
            torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


def test_a_window_that_was_kept_is_not_read_again(parts: Parts) -> None:
    windows = parts.windows(LAMP, TOWN)
    first = ask(parts.attention(), windows)
    again = ask(parts.attention(), windows)
    assert_same(first, again)
    text = sum(len(window.ids) for window in windows)
    assert again.read_tokens < first.read_tokens - text
    assert parts.store.stats().hits == 2


def test_only_what_is_new_is_read(parts: Parts) -> None:
    known, new = parts.windows(LAMP, TOWN)
    apart = ask(parts.attention(), [known])
    together = ask(parts.attention(), [known, new])
    assert_same(Asked(together.columns[:1], 0), apart)
    assert parts.store.stats().hits == 1


def test_what_is_not_to_be_kept_is_not(parts: Parts) -> None:
    windows = parts.windows(LAMP)
    kept, not_kept = ask(parts.attention(), windows), ask(parts.attention(), windows, keep=False)
    assert_same(kept, not_kept)
    assert not_kept.read_tokens == kept.read_tokens
    assert parts.store.stats().memory_windows == 1


def test_another_method_does_not_take_the_baseline_of_the_first(parts: Parts) -> None:
    windows = parts.windows(LAMP)
    ask(parts.attention(), windows)
    icr = in_context_reranking(parts.config)
    assert_same(ask(parts.attention(icr), windows), ask(parts.attention(icr), windows, keep=False))


def test_several_questions_are_as_one_by_one(parts: Parts) -> None:
    windows = parts.windows(LAMP, TOWN, TARN)
    together = ask(parts.attention(), windows)
    for number, question in enumerate(QUESTIONS):
        alone = ask(parts.attention(), windows, (question,), keep=False)
        assert_same(Asked([[asked[number]] for asked in together.columns], 0), alone)


def test_each_column_of_the_passages_has_a_score(parts: Parts) -> None:
    window = parts.builder.build([LAMP, TARN])
    [[columns, _]] = ask(parts.attention(), [window]).columns
    start, stop = window.columns
    assert columns.shape == (stop - start,)
    assert [len(part) for part in window.parts(columns)] == [
        len(parts.builder.offsets(passage)) for passage in (LAMP, TARN)
    ]


def test_cancelling_stops_it(parts: Parts) -> None:
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        parts.attention().ask(parts.windows(LAMP), QUESTIONS, cancel=cancel)
