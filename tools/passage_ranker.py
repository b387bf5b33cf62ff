"""Ranking passages that are at hand for one question: the reader's first stage."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..cancellation import Cancellation
from ..progress import Progress, silent
from .lexical_index import LexicalEntry, LexicalIndex
from .rank_fusion import reciprocal_rank_fusion
from .vector_index import Embedder

if TYPE_CHECKING:
    import numpy as np

EMBEDDED = 64
"""Passages that are embedded for a question at most: those that BM25 likes best."""
_CACHED = 20_000
"""Vectors kept between questions; 384 dimensions take 1.5 kB each."""


class HybridRanker:
    """BM25 over the passages given, fused with embedding similarity of the best of them.

    Vectors are kept by their text's digest, so that a further question over the same pages embeds
    only itself. ``embedded`` is how many passages are embedded for a question at most. Safe from
    any thread.
    """

    def __init__(self, embedder: Embedder | None, *, embedded: int = EMBEDDED) -> None:
        self._embedder = embedder
        self._embedded = embedded
        self._cache: OrderedDict[bytes, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()
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
        """One score for each passage, in their order; higher is better, 0 for no sign at all. Blocks.

        Raises:
            Cancelled: ``cancel`` was set.
        """
        cancel.check()
        lexical = self._by_words(question, passages)
        rankings = [lexical]
        if self._embedder is not None and passages:
            rankings.append(self._by_similarity(question, passages, lexical, cancel, progress))
        scores = [0.0] * len(passages)
        for key, score in reciprocal_rank_fusion(rankings):
            scores[key] = score
        return scores

    def _by_words(self, question: str, passages: Sequence[str]) -> list[int]:
        """The passages that share words with the question; several questions on the same passages
        find them indexed."""
        with self._lock:
            if self._passages != list(passages):
                self._index.close()
                self._passages = list(passages)
                self._index = LexicalIndex.in_memory(
                    LexicalEntry(key, passage) for key, passage in enumerate(passages)
                )
            return [key for key, _ in self._index.search(question, len(passages))]

    def _by_similarity(
        self,
        question: str,
        passages: Sequence[str],
        lexical: Sequence[int],
        cancel: Cancellation,
        progress: Progress,
    ) -> list[int]:
        """The passages that BM25 leaves, filled up with others in their order, by cosine."""
        import numpy as np

        liked = set(lexical)
        rest = (key for key in range(len(passages)) if key not in liked)
        candidates = [*lexical, *rest][: self._embedded]
        vectors = self._vectors(
            [question, *(passages[key] for key in candidates)], cancel, progress
        )
        similarity = vectors[1:] @ vectors[0]
        return [candidates[place] for place in np.argsort(-similarity, kind="stable")]

    def _vectors(
        self, texts: Sequence[str], cancel: Cancellation, progress: Progress
    ) -> np.ndarray:
        """Shape ``(len(texts), dimensions)``; only texts not seen before are embedded."""
        import numpy as np

        assert self._embedder is not None
        digests = [hashlib.sha256(text.encode("utf-8", "replace")).digest() for text in texts]
        with self._lock:
            found = {digest: self._cache[digest] for digest in digests if digest in self._cache}
        new = {
            digest: text for digest, text in zip(digests, texts, strict=True) if digest not in found
        }
        if new:
            embedded = self._embedder.embed(list(new.values()), cancel=cancel, progress=progress)
            found.update(zip(new, embedded, strict=True))
        with self._lock:
            for digest in digests:
                self._cache[digest] = found[digest]
                self._cache.move_to_end(digest)
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return np.stack([found[digest] for digest in digests])
