from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ConfigError, ModelMissing
from leadline.evals.bench import Bench
from leadline.evals.methods import METHODS, check_methods, open_method
from leadline.evals.paragraphs import paragraph
from leadline.evals.rankers import EmbeddingRanker, FusedRanker, LexicalRanker, best_first
from leadline.evals.reading_method import RankerMethod, ReaderMethod
from leadline.progress import Progress, silent
from leadline.runtime.made_pages import made_page
from leadline.runtime.reader import FirstStageReader, ReadingBudget
from leadline.settings import load_settings

QUESTION = "What lives for a year?"
TEXTS = ["Ticks live long.", "A flea lives a year.", "The flea can jump."]


class CountingEmbedder:
    """Vectors that say how many letters a and e a text has."""

    model_id = "letters"
    dimensions = 2

    def __init__(self) -> None:
        self.embedded: list[str] = []

    def embed(
        self, texts: Sequence[str], *, cancel: Cancellation, progress: Progress
    ) -> np.ndarray:
        cancel.check()
        self.embedded += texts
        counts = np.array([[text.count("a") + 1, text.count("e")] for text in texts], np.float32)
        vectors: np.ndarray = counts / np.linalg.norm(counts, axis=1, keepdims=True)
        return vectors


def rank(ranker: LexicalRanker | EmbeddingRanker | FusedRanker, *texts: str) -> list[float]:
    return ranker.rank(QUESTION, texts, cancel=Cancellation())


def test_words_rank_and_other_passages_make_another_index() -> None:
    ranker = LexicalRanker()
    assert best_first(rank(ranker, *TEXTS))[0] == 1
    assert best_first(rank(ranker, *reversed(TEXTS)))[0] == 1
    assert rank(ranker, "Nothing of the kind.", "A flea.")[0] == 0.0
    assert rank(ranker) == []


def test_no_passage_is_embedded_twice() -> None:
    embedder = CountingEmbedder()
    ranker = EmbeddingRanker(embedder)
    first = rank(ranker, *TEXTS)
    assert rank(ranker, *TEXTS, "eee")[:3] == pytest.approx(first)
    assert sorted(embedder.embedded) == sorted([*TEXTS, "eee", *[QUESTION] * 2])
    assert rank(ranker) == []


def test_fusion_knows_no_rank_by_words_where_no_word_is_shared() -> None:
    lexical, embedding = LexicalRanker(), EmbeddingRanker(CountingEmbedder())
    texts = ["eel", "eels", "a year"]
    fused = rank(FusedRanker(lexical, embedding), *texts)
    by_similarity = best_first(rank(embedding, *texts))
    for place in (0, 1):
        assert fused[place] == pytest.approx(1 / (61 + by_similarity.index(place)))
    assert fused[2] == pytest.approx(1 / 61 + 1 / (61 + by_similarity.index(2)))


async def test_a_ranker_and_a_reader_on_it_agree() -> None:
    ranker = LexicalRanker()
    passages = [paragraph(f"No {n}", text) for n, text in enumerate([*TEXTS, TEXTS[0] * 90])]
    methods = (
        RankerMethod("bm25", "none", ranker),
        ReaderMethod("reader", FirstStageReader(ranker), window_tokens=100),
    )
    orders = []
    for method in methods:
        for way in (method.rank, method.rank_pool):
            scores = await way(QUESTION, passages, cancel=Cancellation())
            assert len(scores) == len(passages)
            orders.append(best_first(scores)[0])
    assert orders == [1, 1, 1, 1]
    assert await methods[1].rank("why", [], cancel=Cancellation()) == []


async def test_reading_brings_back_what_ranks_best() -> None:
    method = RankerMethod("bm25", "none", LexicalRanker())
    [reading] = await method.read(
        ["Who jumps?"],
        [made_page("", text) for text in TEXTS],
        budget=ReadingBudget(evidence=1),
        cancel=Cancellation(),
    )
    assert [item.span.quote for item in reading.evidence] == ["The flea can jump."]


async def test_ranking_can_be_stopped() -> None:
    stop = Cancellation()
    stop.cancel()
    with pytest.raises(Cancelled):
        await RankerMethod("bm25", "none", LexicalRanker()).rank(
            "why", [paragraph("", "because")], cancel=stop, progress=silent
        )


@pytest.mark.parametrize("names", [["bm25", "bm26"], []])
def test_unknown_methods_name_those_there_are(names: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        check_methods(names)
    assert all(name in str(caught.value) for name in METHODS)


async def test_a_missing_model_says_how_to_get_it() -> None:
    bench = Bench(load_settings(), cancel=Cancellation(), warn=print)
    with pytest.raises(ModelMissing, match="models pull"):
        await open_method("minilm", bench)


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
async def test_real_methods_find_the_paragraph(name: str, real_models: Callable[..., None]) -> None:
    real_models("all-minilm-l6-v2", "qwen2.5-coder-0.5b")
    bench = Bench(load_settings(), cancel=Cancellation(), warn=print)
    method = await open_method(name, bench)
    texts = [
        "The harbour of Ostend was deepened in 1902.",
        "The lighthouse keeper of Skagen, Anna Holm, wrote poems about the sea.",
        "Sailing ships carried wool from York to Bruges.",
    ]
    passages = [paragraph("", text) for text in texts]
    question = "Who was the keeper of the lighthouse that wrote poems?"
    for way in (method.rank, method.rank_pool):
        scores = await way(question, passages, cancel=Cancellation())
        assert best_first(scores)[0] == 1
    [reading] = await method.read(
        [question],
        [passage.page for passage in passages],
        budget=ReadingBudget(window_tokens=1000, evidence=1),
        cancel=Cancellation(),
    )
    assert "Anna Holm" in reading.evidence[0].span.quote
