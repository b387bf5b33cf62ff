"""The reader's first stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled
from leadline.tools.passage_ranker import HybridRanker

if TYPE_CHECKING:
    from tests.tools.conftest import WordEmbedder

PASSAGES = [
    "Storms are common in winter.",
    "The leadsman calls the depth in fathoms.",
    "Depth is measured with a lead line.",
    "A recipe for ship's biscuit.",
]


def test_words_alone(cancel: Cancellation) -> None:
    scores = HybridRanker(None).rank("Who calls the depth?", PASSAGES, cancel=cancel)
    assert len(scores) == 4
    assert scores[1] > scores[2] > scores[0] == scores[3] == 0


def test_embeddings_are_fused(cancel: Cancellation, word_embedder: WordEmbedder) -> None:
    ranker = HybridRanker(word_embedder)
    scores = ranker.rank("Who calls the depth?", PASSAGES, cancel=cancel)
    assert max(range(4), key=scores.__getitem__) == 1 and all(score > 0 for score in scores)


def test_vectors_are_kept(cancel: Cancellation, word_embedder: WordEmbedder) -> None:
    ranker = HybridRanker(word_embedder)
    ranker.rank("first question", PASSAGES, cancel=cancel)
    ranker.rank("second question", [*PASSAGES, PASSAGES[0]], cancel=cancel)
    assert sorted(word_embedder.texts) == sorted([*PASSAGES, "first question", "second question"])


def test_only_what_words_leave_is_embedded(
    cancel: Cancellation, word_embedder: WordEmbedder
) -> None:
    passages = [f"filler number {n}" for n in range(900)] + ["the depth in fathoms"]
    scores = HybridRanker(word_embedder).rank("depth in fathoms", passages, cancel=cancel)
    assert len(word_embedder.texts) == 65 and "the depth in fathoms" in word_embedder.texts
    assert max(range(901), key=scores.__getitem__) == 900


def test_nothing_to_rank(cancel: Cancellation, word_embedder: WordEmbedder) -> None:
    ranker = HybridRanker(word_embedder)
    assert ranker.rank("depth", [], cancel=cancel) == []
    assert len(ranker.rank("?", ["", " "], cancel=cancel)) == 2


def test_cancelled(cancel: Cancellation, word_embedder: WordEmbedder) -> None:
    cancel.cancel()
    with pytest.raises(Cancelled):
        HybridRanker(word_embedder).rank("depth", PASSAGES, cancel=cancel)
