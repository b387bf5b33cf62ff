"""What heads looked at, on a tiny random model and on the real reader's."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ReadingError
from leadline.evidence import Evidence, Page
from leadline.runtime.attention_method import AttentionMethod, calibrated_heads
from leadline.runtime.catalogue import resolve
from leadline.runtime.decoder import Branch, Decoder
from leadline.runtime.gguf_weights import convert
from leadline.runtime.heads import Head, find_head_table
from leadline.runtime.heatmap import HeadMap, Stretch, head_map, window_passages
from leadline.runtime.passages import Passage, split_pages
from leadline.runtime.tokenizer import TextTokenizer
from leadline.runtime.windows import CONTENT_FREE, WindowBuilder

from .tiny_models import make_model, write_gguf

QUESTION = "how deep is the sea"
HEADS = (Head(1, 2), Head(0, 1), Head(1, 0))


def page(title: str, text: str) -> Page:
    return Page(
        page_id=hashlib.sha256((title + text).encode()).hexdigest(),
        url=f"https://a.example/{title}",
        final_url=f"https://a.example/{title}",
        fetched_at=datetime(2026, 1, 1, tzinfo=UTC),
        media_type="text/plain",
        title=title,
        text=text,
    )


PAGES = [
    page("bread", "Bread needs yeast. It is baked in an oven.\n\nFlour is milled from wheat."),
    page("sea", "The sea is salt. How deep is the sea? It is 3.7 km deep."),
    page("海", "海水是咸的。海洋平均深度为3.7公里。"),
]


class Parts:
    """A decoder with what belongs to it."""

    def __init__(self, decoder: Decoder, windows: WindowBuilder, method: AttentionMethod) -> None:
        self.decoder, self.windows, self.method = decoder, windows, method

    def look(self, passages: Sequence[Passage], cancel: Cancellation | None = None) -> HeadMap:
        return head_map(
            self.decoder,
            self.windows,
            self.method,
            QUESTION,
            passages,
            cancel=cancel or Cancellation(),
        )


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    folder = tmp_path_factory.mktemp("tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LEADLINE_HOME", str(folder / "home"))
        path = write_gguf(make_model("qwen2", context=2048), folder / "tiny.gguf")
        model = convert(path)
        windows = WindowBuilder(TextTokenizer(model.tokenizer))
        return Parts(Decoder(model, last_layer=1), windows, AttentionMethod("heads", HEADS))


def test_words_and_sentences_hold_all_attention_of_their_passage(parts: Parts) -> None:
    passages = split_pages(PAGES, max_chars=60)
    found = parts.look(passages)
    assert [part.passage for part in found.passages] == passages
    assert found.rows == (None, *HEADS)

    window = parts.windows.build(passages)
    prefix = parts.decoder.prefill(window.ids)
    prefix.columns = window.columns
    branches = [
        Branch(tokens.ids, (0, len(tokens.ids)))
        for tokens in map(parts.windows.ask, (QUESTION, CONTENT_FREE))
    ]
    [[asked, content_free]] = parts.decoder.score_many([prefix], branches, heads=HEADS)
    together = window.parts(parts.method.column_scores(asked, content_free))
    for part, expected in zip(found.passages, together, strict=True):
        for stretches in (part.words, part.sentences):
            totals = [sum(column) for column in zip(*(s.shares for s in stretches), strict=True)]
            assert len(totals) == 1 + len(HEADS)
            assert totals[0] == pytest.approx(float(expected.sum()), abs=1e-4)


def test_words_are_apart_in_order_and_hold_every_visible_character(parts: Parts) -> None:
    for part in parts.look(split_pages(PAGES, max_chars=60)).passages:
        text, passage = part.passage.page.text, part.passage
        assert text_of(part.words, text) == "".join(passage.text.split())
        assert all(before.end <= after.start for before, after in pairwise(part.words))
        assert passage.start <= part.words[0].start and part.words[-1].end <= passage.end
        assert not any(text[word.start : word.end].count(" ") for word in part.words)


def text_of(stretches: Sequence[Stretch], text: str) -> str:
    return "".join("".join(text[s.start : s.end].split()) for s in stretches)


def test_the_characters_of_a_script_without_spaces_are_words(parts: Parts) -> None:
    [part] = parts.look(split_pages([PAGES[2]], max_chars=1000)).passages
    words = [PAGES[2].text[word.start : word.end] for word in part.words]
    assert words[:6] == ["海", "水", "是", "咸", "的", "。"]
    assert "3.7" in words


def test_a_head_alone_is_the_method_with_that_head(parts: Parts) -> None:
    passages = split_pages(PAGES, max_chars=60)
    together = parts.look(passages)
    for row, head in enumerate(HEADS, start=1):
        method = AttentionMethod("one", (head,))
        alone = head_map(
            parts.decoder, parts.windows, method, QUESTION, passages, cancel=Cancellation()
        )
        for one, all_rows in zip(alone.passages, together.passages, strict=True):
            assert [word.shares[0] for word in one.words] == pytest.approx(
                [word.shares[row] for word in all_rows.words], abs=1e-6
            )


def test_a_large_text_is_looked_at_around_the_evidence(parts: Parts) -> None:
    long = page("long", " ".join(f"Sentence number {n} tells of the sea." for n in range(200)))
    passages = split_pages([PAGES[0], long], max_chars=80)
    at = long.text.index("number 150")
    found = Evidence(span=long.span(at, at + 10), score=1.0, question=QUESTION)
    tokens = 400
    chosen = window_passages(passages, [found], parts.windows, tokens=tokens)
    assert sum(map(parts.windows.size, chosen)) <= tokens
    places = [passages.index(passage) for passage in chosen]
    assert places == list(range(places[0], places[-1] + 1))
    centre = next(n for n, p in enumerate(passages) if p.page is long and p.start <= at < p.end)
    assert abs((places[0] + places[-1]) / 2 - centre) <= 1
    assert window_passages(passages, [found], parts.windows, tokens=1) == [passages[centre]]
    assert window_passages(passages, [found], parts.windows, tokens=100_000) == passages
    assert window_passages(passages, [], parts.windows, tokens=1) == passages[:1]
    bread = Evidence(span=PAGES[0].span(0, 5), score=1.0, question=QUESTION)
    near = window_passages(passages, [bread], parts.windows, tokens=tokens)
    assert near == [passage for passage in passages if passage.page is PAGES[0]]


def test_what_does_not_fit_or_is_stopped_is_refused(parts: Parts) -> None:
    with pytest.raises(ReadingError, match="exceed the model's context"):
        parts.look(split_pages([page("wall", "wide " * 2000)], max_chars=1000))
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        parts.look(split_pages(PAGES, max_chars=60), cancel)


@pytest.mark.slow
def test_the_real_heads_look_at_the_answer(real_models: Callable[..., None]) -> None:
    real_models("qwen2.5-coder-0.5b")
    files = resolve("qwen2.5-coder-0.5b")
    model = convert(files.weights, sha256=files.sha256)
    method = calibrated_heads(find_head_table(model.config.source_sha256))
    parts = Parts(
        Decoder(model, last_layer=method.exit_layer),
        WindowBuilder(TextTokenizer(model.tokenizer)),
        method,
    )
    found = parts.look(split_pages(PAGES, max_chars=1000))
    sentences = [
        (part.passage.page.text[sentence.start : sentence.end], sentence.shares)
        for part in found.passages
        for sentence in part.sentences
    ]
    best, shares = max(sentences, key=lambda item: item[1][0])
    assert "deep" in best or "深度" in best
    assert max(shares) > 0.01
