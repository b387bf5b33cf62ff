"""First stages to compare with: each looks at every passage."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..cancellation import Cancellation
from ..progress import Progress, silent
from ..tools.lexical_index import LexicalEntry, LexicalIndex
from ..tools.rank_fusion import reciprocal_rank_fusion
from ..tools.vector_index import Embedder

if TYPE_CHECKING:
    import numpy as np


class LexicalRanker:
    """BM25. The index of the passages last ranked is kept for the next question on them."""

    def __init__(self) -> None:
        self._passages: list[str] = []
        self._index = LexicalIndex.in_memory()

    def rank(
        self,
        question: str,
        passages: Sequence[str],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[float]:
        cancel.check()
        if self._passages != list(passages):
            self._index.close()
            self._passages = list(passages)
            self._index = LexicalIndex.in_memory(
                LexicalEntry(key, passage) for key, passage in enumerate(passages)
            )
        scores = [0.0] * len(passages)
        for key, score in self._index.search(question, len(passages)):
            scores[key] = score
        return scores


class EmbeddingRanker:
    """Cosine similarity of embeddings; no passage is embedded twice."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._vectors: dict[bytes, np.ndarray] = {}

    def rank(
        self,
        question: str,
        passages: Sequence[str],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[float]:
        import numpy as np

        digests = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in passages]
        new = {
            digest: text
            for digest, text in zip(digests, passages, strict=True)
            if digest not in self._vectors
        }
        if new:
            embedded = self._embedder.embed(list(new.values()), cancel=cancel, progress=progress)
            self._vectors.update(zip(new, embedded, strict=True))
        if not digests:
            return []
        asked = self._embedder.embed([question], cancel=cancel, progress=silent)[0]
        similarity = np.stack([self._vectors[digest] for digest in digests]) @ asked
        return [float(value) for value in similarity]


class FusedRanker:
    """Reciprocal-rank fusion of BM25 and embeddings, both over all passages."""

    def __init__(self, lexical: LexicalRanker, embedding: EmbeddingRanker) -> None:
        self._lexical = lexical
        self._embedding = embedding

    def rank(
        self,
        question: str,
        passages: Sequence[str],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[float]:
        matches = self._lexical.rank(question, passages, cancel=cancel, progress=progress)
        similar = self._embedding.rank(question, passages, cancel=cancel, progress=progress)
        # A passage that shares no word with the question has no rank by words.
        rankings = ([key for key in best_first(matches) if matches[key] > 0], best_first(similar))
        fused = [0.0] * len(passages)
        for key, score in reciprocal_rank_fusion(rankings):
            fused[key] = score
        return fused


def best_first(scores: Sequence[float]) -> list[int]:
    """Places by falling score; equal scores keep their order."""
    return sorted(range(len(scores)), key=lambda place: -scores[place])
