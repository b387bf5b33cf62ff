"""InfiniRetri on a tiny random model, against its formula on transformers' attention maps."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ReadingError
from leadline.evidence import Page
from leadline.progress import Progress, silent
from leadline.runtime.gguf_weights import convert
from leadline.runtime.infiniretri import InfiniRetri, Retrieval, phrase_sums
from leadline.runtime.infiniretri_published import PublishedWindows, published_sentences
from leadline.runtime.infiniretri_reader import InfiniRetriReader
from leadline.runtime.infiniretri_windows import PIECE_CHARS, SentenceWindows
from leadline.runtime.last_layer import LastLayer
from leadline.runtime.passages import Passage
from leadline.runtime.reader import Reader, Reading, ReadingBudget
from leadline.runtime.tokenizer import TextTokenizer

from .tiny_models import GEMMA, make_model, write_gguf

QUESTION = "How deep is the sea?"
CONTEXT = 4096
TEXT = (
    "Ships sail. The sea is salt, and it covers 3.14 parts of the earth.\n\n"
    "How deep is the sea? It is 3.7 km deep, says Dr. Li.\n\nBread needs yeast! 海水是咸的。海很深。 "
) * 3


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> TextTokenizer:
    """One token for each byte of UTF-8."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_only = Tokenizer(models.BPE(vocab={c: n for n, c in enumerate(alphabet)}, merges=[]))
    bytes_only.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_only.decoder = decoders.ByteLevel()
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    bytes_only.save(str(path))
    return TextTokenizer(path)


Tiny = tuple[Any, LastLayer, TextTokenizer]


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    model = make_model("qwen2", context=CONTEXT)
    weights = convert(write_gguf(model, tmp_path / "tiny.gguf"))
    return model, LastLayer(weights, dtype=torch.float32), TextTokenizer(weights.tokenizer)


@pytest.fixture
def method(tiny: Tiny) -> InfiniRetri:
    return InfiniRetri(*tiny[1:], window_tokens=200, top_tokens=60)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("One. Two three four! Five six seven", ["One.", " Two three four!", " Five six seven"]),
        ("It covers 3.14 million people. So?", ["It covers 3.", "14 million people. So?"]),
        ("J. R. R. Tolkien wrote it.", ["J. R. R.", " Tolkien wrote it."]),
        ("深い海。青い空！\n\n終わり", ["深い海。", "青い空！\n\n", "終わり"]),
        ("See www.example.com/a for it.", ["See www.example.", "com/a for it."]),
        ("... What?! Yes.", ["... What?!", " Yes."]),
        (" \n\n ", []),
    ],
)
def test_published_sentences(text: str, sentences: list[str]) -> None:
    spans = published_sentences(text)
    assert [text[start:end] for start, end in spans] == sentences


@given(st.text(alphabet="ab .\n?。", max_size=60), st.sampled_from([8, 10]))
def test_published_sentences_lie_end_to_end(text: str, short: int) -> None:
    position = 0
    for start, end in published_sentences(text, short=short):
        assert start == position < end
        position = end
    assert not text[position:].strip()


def test_published_windows_lose_what_has_no_spaces(tokenizer: TextTokenizer) -> None:
    assert len(PublishedWindows("深" * 500, tokenizer, limit=100)) == 0
    assert len(PublishedWindows("", tokenizer, limit=100)) == 0
    spaced = PublishedWindows("deep sea " * 46, tokenizer, limit=100)
    sizes = [len(spaced.pieces(n, ())[0].ids) - len("\n\n") for n in range(len(spaced))]
    assert len(sizes) == 5
    assert max(sizes) <= 100
    assert abs(sizes[-1] - sizes[-2]) < 10, "the last two share their text"


@given(st.text(alphabet="ab c.\n?。", max_size=200), st.randoms())
def test_published_pieces_know_their_places(
    tokenizer: TextTokenizer, text: str, random: Any
) -> None:
    windows = PublishedWindows(text, tokenizer, limit=40)
    kept: list[Any] = []
    for number in range(len(windows)):
        pieces = windows.pieces(number, kept)
        for piece in pieces:
            stands = [(c, p) for c, p in zip(piece.text, piece.places, strict=True) if p >= 0]
            assert all(text[place] == character for character, place in stands)
            quoted = "".join(text[start:end] for start, end in piece.spans)
            assert "".join(quoted.split()) == "".join(piece.text.split())
        kept = [piece for piece in pieces if random.random() < 0.5]


@given(
    st.text(alphabet=st.sampled_from("ab c.\n?。深\t!é"), max_size=400),
    st.sampled_from([16, 64, 200]),
)
def test_windows_of_sentences_lose_nothing(tokenizer: TextTokenizer, text: str, limit: int) -> None:
    windows = SentenceWindows(text, tokenizer, limit=limit)
    spans = []
    for number in range(len(windows)):
        pieces = windows.pieces(number, ())
        assert sum(len(piece.ids) for piece in pieces) <= limit
        spans += [piece.spans[0] for piece in pieces]
    inside = [place for start, end in spans for place in range(start, end)]
    assert inside == sorted(set(inside)), "in order and apart"
    assert not "".join(c for n, c in enumerate(text) if n not in set(inside)).strip()


def test_long_sentences_are_cut(tokenizer: TextTokenizer) -> None:
    windows = SentenceWindows("deep " * 1000, tokenizer, limit=4000)
    pieces = [piece for n in range(len(windows)) for piece in windows.pieces(n, ())]
    assert 5 <= len(pieces) <= 6
    assert all(end - start <= PIECE_CHARS for piece in pieces for start, end in piece.spans)


@pytest.mark.parametrize("width", [1, 2, 7, 8, 30])
def test_phrase_sums(width: int) -> None:
    scores = torch.rand(20, dtype=torch.float64)
    right = (width - 1) // 2
    left = width - 1 - right
    expected = [scores[max(0, i - left) : i + right + 1].sum() for i in range(20)]
    torch.testing.assert_close(phrase_sums(scores, width), torch.stack(expected))


def published_scores(
    model: Any, before: list[int], text: list[int], after: list[int], asking: int
) -> torch.Tensor:
    """The paper's score of each token of the text, from whole attention maps."""
    ids = [*before, *text, *after]
    with torch.no_grad():
        maps = model(torch.tensor([ids]), output_attentions=True).attentions
    attention: torch.Tensor = maps[-1][0].sum(dim=0).double()
    rows = attention[len(ids) - asking :]
    weights = rows[:, len(ids) - asking :].sum(dim=1, keepdim=True)
    columns = rows[:, len(before) : len(before) + len(text)]
    phrases = torch.stack(
        [columns[:, max(0, i - 4) : i + 4].sum(dim=1) for i in range(len(text))], dim=1
    )
    return (weights * weights * phrases).sum(dim=0)


@pytest.mark.parametrize("as_published", [False, True])
def test_scores_are_those_of_the_paper(tiny: Tiny, as_published: bool) -> None:
    model, decoder, tokenizer = tiny

    def ids(text: str) -> list[int]:
        return tokenizer.encode(text).ids

    texts = ["The sea is deep. ", "Bread needs yeast."]
    start, end = tokenizer.control_id("<|im_start|>"), tokenizer.control_id("<|im_end|>")
    assert start is not None
    assert end is not None
    instruction = "Read the book and answer the question. Be very concise in your answer.\n\n"
    before = [start, *ids("system\n"), end, *ids("\n"), start, *ids(f"user\n{instruction}")]
    asking = [*ids(f"{QUESTION}\n\nAnswer:"), end, *ids("\n"), start, *ids("assistant\n")]
    whole = "The sea is deep. \n\nBread needs yeast."
    read = f"{whole}\n\n" if as_published else whole.replace(" \n\n", "\n\n")
    between = ids("Question:\n\n")
    # Outside the split by sentences a byte is a token here, so that it makes no difference.
    scores = published_scores(model, before, ids(read), [*between, *asking], len(asking))
    cut = len(ids(read.split("Bread")[0].rstrip() if not as_published else "The sea is deep. \n\n"))
    expected = [float(scores[:cut].sum()), float(scores[cut:].sum())]
    ranked = InfiniRetri(decoder, tokenizer, as_published=as_published).rank(QUESTION, texts)
    assert ranked == pytest.approx(expected, rel=1e-3)


def assert_offsets(found: Retrieval, text: str) -> None:
    scores = [sentence.score for sentence in found.sentences]
    assert scores == sorted(scores, reverse=True)
    spans = sorted((sentence.start, sentence.end) for sentence in found.sentences)
    assert all(text[start:end] == text[start:end].strip() != "" for start, end in spans)
    assert all(one[1] <= other[0] for one, other in pairwise(spans))
    quoted = "".join(text[start:end] for start, end in spans)
    assert "".join(quoted.split()) == "".join("".join(found.kept).split())


@pytest.mark.parametrize("as_published", [False, True])
def test_sentences_come_back_with_offsets(tiny: Tiny, as_published: bool) -> None:
    method = InfiniRetri(*tiny[1:], window_tokens=200, top_tokens=60, as_published=as_published)
    told: list[tuple[int, int | None]] = []
    found = method.retrieve(
        QUESTION, TEXT, progress=lambda task, done, total, unit: told.append((done, total))
    )
    assert_offsets(found, TEXT)
    assert found.windows >= 3
    assert told == [(n + 1, found.windows) for n in range(found.windows)]
    assert found.read_tokens > len(TEXT)
    assert 0 < len(found.sentences) < len(published_sentences(TEXT))


def test_a_short_text_is_kept_whole(method: InfiniRetri) -> None:
    text = "The sea is deep. It is salt."
    found = method.retrieve(QUESTION, text)
    assert sorted((s.start, s.end) for s in found.sentences) == [(0, 16), (17, 28)]
    assert "".join(found.kept) == text


def test_a_sentence_scores_what_it_would_as_a_passage(method: InfiniRetri) -> None:
    passages = ["The sea is deep.", "It is salt."]
    found = method.retrieve(QUESTION, "\n\n".join(passages))
    by_place = sorted(found.sentences, key=lambda sentence: sentence.start)
    assert [sentence.score for sentence in by_place] == method.rank(QUESTION, passages)


@pytest.mark.parametrize("text", ["", " \n\n "])
@pytest.mark.parametrize("as_published", [False, True])
def test_nothing_to_read(tiny: Tiny, text: str, as_published: bool) -> None:
    method = InfiniRetri(*tiny[1:], as_published=as_published)
    assert method.retrieve(QUESTION, text) == Retrieval((), (), 0, 0)
    assert method.rank(QUESTION, [text, text]) == [0.0, 0.0]
    assert method.rank(QUESTION, []) == []


def test_what_is_carried_fits_a_window(tiny: Tiny) -> None:
    method = InfiniRetri(*tiny[1:], window_tokens=100, top_tokens=10_000)
    found = method.retrieve(QUESTION, TEXT)
    assert_offsets(found, TEXT)
    assert len("".join(found.kept).encode()) <= 100
    one = method.retrieve(QUESTION, "Sea.")
    most = 2 * 100 + one.read_tokens
    assert found.read_tokens <= found.windows * most


def test_unpunctuated_text_is_read_to_its_end(method: InfiniRetri) -> None:
    text = "深" * 300
    found = method.retrieve(QUESTION, text)
    assert_offsets(found, text)
    assert found.windows > 300 * 3 // 200
    assert found.read_tokens > 300 * 3


def test_long_text_does_not_exceed_the_context(tiny: Tiny) -> None:
    method = InfiniRetri(*tiny[1:], window_tokens=100_000, top_tokens=100_000)
    found = method.retrieve(QUESTION, "The sea is deep. " * 500)
    assert found.windows > 2
    assert found.sentences


def test_passages_are_ranked_in_one_window(method: InfiniRetri) -> None:
    passages = ["The sea is deep. It is salt.", "", "Bread needs yeast.", "海很深。"]
    scores = method.rank(QUESTION, passages, cancel=Cancellation())
    assert scores[1] == 0
    assert all(scores[place] > 0 for place in (0, 2, 3))
    with pytest.raises(ReadingError, match="2 passages exceed"):
        method.rank(QUESTION, ["The sea is deep. " * 200] * 2)


def test_refusals(tiny: Tiny, method: InfiniRetri) -> None:
    with pytest.raises(ReadingError, match="window_tokens is 3: give at least 64"):
        InfiniRetri(*tiny[1:], window_tokens=3)
    with pytest.raises(ReadingError, match="top_tokens is 0"):
        InfiniRetri(*tiny[1:], top_tokens=0)
    with pytest.raises(ReadingError, match="no room for text"):
        method.retrieve("how deep " * 500, TEXT)
    stopped = Cancellation()
    stopped.cancel()
    with pytest.raises(Cancelled):
        method.retrieve(QUESTION, TEXT, cancel=stopped)


def test_a_last_layer_that_sees_nearby_text_alone_is_refused(tmp_path: Path) -> None:
    model = make_model(GEMMA, layers=7, sliding_window_pattern=6)
    weights = convert(write_gguf(model, tmp_path / "tiny.gguf"))
    with pytest.raises(ReadingError, match="sees nearby text alone"):
        LastLayer(weights)


def page(title: str, text: str) -> Page:
    return Page(
        page_id=hashlib.sha256((title + text).encode()).hexdigest(),
        url=f"https://a.example/{title}",
        final_url=f"https://a.example/{title}",
        fetched_at=datetime(2026, 1, 1, tzinfo=UTC),
        media_type="text/html",
        title=title,
        text=text,
    )


PAGES = [
    page("bread", "  Bread needs yeast. It is baked in an oven.\n\nFlour is milled from wheat"),
    page("sea", "Ships sail.\n" + "The sea is salt. " * 20 + "How deep is the sea? 3.7 km.\n\n"),
    page("海", "海水是咸的。海洋平均深度为3.7公里。<|im_end|> is no end."),
    page("blank", " \n"),
]


class WordOverlap:
    """Scores a passage by the share of the question's words that it holds."""

    def rank(
        self,
        question: str,
        passages: Sequence[str],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[float]:
        words = set(question.lower().strip("?").split())
        return [len(words & set(text.lower().split())) / len(words) for text in passages]


async def read(reader: Reader, pages: Sequence[Page], **budget: int) -> Reading:
    [reading] = await reader.read(
        [QUESTION], pages, budget=ReadingBudget(**budget), cancel=Cancellation()
    )
    by_id = {page.page_id: page for page in pages}
    assert all(by_id[each.span.page_id].holds(each.span) for each in reading.evidence)
    scores = [each.score for each in reading.evidence]
    assert scores == sorted(scores, reverse=True)
    return reading


@pytest.mark.parametrize("as_published", [False, True])
async def test_evidence_quotes_the_pages(tiny: Tiny, as_published: bool) -> None:
    method = InfiniRetri(*tiny[1:], window_tokens=150, top_tokens=100, as_published=as_published)
    reader = InfiniRetriReader(method, tiny[2], model_id="tiny")
    reading = await read(reader, PAGES, evidence=100, evidence_chars=50)
    assert len({each.span.page_id for each in reading.evidence}) > 1
    assert all("\n\n" not in each.span.quote for each in reading.evidence)
    assert reading.read_tokens > sum(len(page.text) for page in PAGES)
    few = await read(reader, PAGES, evidence=2, evidence_chars=50)
    assert few.evidence == reading.evidence[:2]


async def test_short_pages_come_back_whole(tiny: Tiny, method: InfiniRetri) -> None:
    reader = InfiniRetriReader(method, tiny[2], model_id="tiny")
    pages = [page("a", " The sea is deep. "), page("b", "It is salt.\n")]
    reading = await read(reader, [*pages, pages[0]])
    found = {each.span.page_id: each.span.quote for each in reading.evidence}
    assert found == {pages[0].page_id: "The sea is deep.", pages[1].page_id: "It is salt."}


async def test_a_limit_reads_the_best_passages_or_the_first(
    tiny: Tiny, method: InfiniRetri
) -> None:
    pages = [*(page(f"p{n}", f"Nothing of note, number {n}.") for n in range(9)), PAGES[1]]
    first = await read(InfiniRetriReader(method, tiny[2], model_id="tiny"), pages, window_tokens=60)
    assert {each.span.page_id for each in first.evidence} == {p.page_id for p in pages[:2]}
    ranked = InfiniRetriReader(method, tiny[2], model_id="tiny", ranker=WordOverlap())
    best = await read(ranked, pages, window_tokens=60)
    assert {each.span.page_id for each in best.evidence} == {PAGES[1].page_id}


async def test_passages_are_ranked_with_their_titles(tiny: Tiny, method: InfiniRetri) -> None:
    reader = InfiniRetriReader(method, tiny[2], model_id="tiny")
    passages = [Passage(each, 0, len(each.text)) for each in PAGES[:3]]
    scores = await reader.rank(QUESTION, passages, cancel=Cancellation())
    titled = [f"{each.title}\n{each.text}" for each in PAGES[:3]]
    assert scores == method.rank(QUESTION, titled)


@pytest.mark.parametrize("pages", [[], [page("empty", " \n ")]])
@pytest.mark.parametrize("limit", [{}, {"window_tokens": 100}])
async def test_no_text_is_no_evidence(
    tiny: Tiny, method: InfiniRetri, pages: list[Page], limit: dict[str, int]
) -> None:
    reader = InfiniRetriReader(method, tiny[2], model_id="tiny", ranker=WordOverlap())
    reading = await read(reader, pages, **limit)
    assert (reading.evidence, reading.read_tokens) == ((), 0)


async def test_cancelling_stops_a_reading(tiny: Tiny, method: InfiniRetri) -> None:
    reader = InfiniRetriReader(method, tiny[2], model_id="tiny")
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        await reader.read([QUESTION], PAGES, budget=ReadingBudget(), cancel=cancel)


@pytest.mark.slow
async def test_the_real_reader_keeps_the_sentence(real_models: Callable[..., None]) -> None:
    from leadline.runtime.catalogue import resolve

    real_models("qwen2.5-coder-0.5b")
    reader = await InfiniRetriReader.open(resolve("qwen2.5-coder-0.5b"))
    reading = await read(reader, PAGES, evidence_chars=60)
    assert reader.model_id == "qwen2.5-coder-0.5b"
    assert any("How deep is the sea?" in each.span.quote for each in reading.evidence)
