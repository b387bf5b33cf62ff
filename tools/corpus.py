"""A corpus: a folder or a site, indexed once, searched by words and by meaning."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from ..cancellation import Cancellation
from ..errors import CorpusError, LeadlineError
from ..evidence import Page
from ..progress import Progress, silent
from ..threads import in_thread
from .corpus_index import CorpusIndex, Passage
from .corpus_manifest import CorpusManifest, IndexReport
from .corpus_update import update_folder, update_site
from .headings import Headings
from .page_store import PageStore
from .process_lock import process_lock
from .rank_fusion import reciprocal_rank_fusion
from .site_crawl import PageFetcher
from .vector_index import Embedder, VectorIndex

_CANDIDATES = 4
"""Passages that each ranking puts forward for one that is returned."""
_LEAST_CANDIDATES = 50
_EMBEDDING_BATCH = 256


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that a search found; ``score`` orders the hits of one search only."""

    page_id: str
    start: int
    end: int
    score: float
    title: str
    url: str


class Corpus:
    """One corpus in its folder. Use it from any thread; :meth:`update` in one at a time.

    Raises:
        CorpusError: there is no corpus in ``folder``, or it cannot be read.
        StorageError: the disk refuses.
    """

    def __init__(self, folder: Path, *, store: PageStore, embedder: Embedder | None = None) -> None:
        self.manifest = CorpusManifest.load(folder)
        self._folder = folder
        self._store = store
        self._embedder = embedder if self.manifest.embeddings else None
        self._index = CorpusIndex(folder, passage_chars=self.manifest.passage_chars)
        self._vectors: VectorIndex | None = None
        self._vectors_lock = threading.Lock()

    @property
    def name(self) -> str:
        return self.manifest.name

    async def update(
        self,
        *,
        fetcher: PageFetcher | None = None,
        embed_at_most: int | None = None,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> IndexReport:
        """Bring the index up to date; what is unchanged is left alone, what was begun goes on.

        A site needs a ``fetcher``. Another process that updates the same corpus is waited for.
        If more than ``embed_at_most`` passages wait for their vectors, all of them are left to a
        later update, and the corpus is searched by words until then.

        Raises:
            CorpusError: there is nothing that can be read, or it holds no text.
            StorageError: the disk refused; a later update goes on from here.
            Cancelled: ``cancel`` was set; a later update goes on from here.
        """
        started = time.monotonic()
        lock = process_lock(
            self._folder / "lock",
            cancel=cancel,
            waiting=lambda: progress(f"waiting for another update of {self.name}", 0, None, ""),
        )
        async with lock:
            self.manifest = CorpusManifest.load(self._folder)
            if self.manifest.kind == "site":
                report = await self._update_site(fetcher, cancel, progress)
            else:
                report = await in_thread(
                    lambda stop: update_folder(
                        self.manifest, self._index, self._store, cancel=stop, progress=progress
                    ),
                    cancel=cancel,
                )
            await in_thread(
                lambda stop: self._finish(report, embed_at_most, stop, progress), cancel=cancel
            )
        report.seconds = time.monotonic() - started
        return report

    def search(self, query: str, k: int = 10, *, cancel: Cancellation | None = None) -> list[Hit]:
        """The best ``k`` passages, none of which overlap, best first.

        BM25 and, where every passage has its vector and there is an embedder, cosine similarity;
        fused by reciprocal rank.

        Raises:
            CorpusError: the corpus's vectors are of another model than the embedder.
            Cancelled: ``cancel`` was set while the query was embedded.
        """
        depth = max(_LEAST_CANDIDATES, _CANDIDATES * k)
        rankings = [self._index.lexical_ranking(query, depth)]
        if query.strip() and (vectors := self._searchable_vectors()) is not None:
            assert self._embedder is not None
            vector = self._embedder.embed([query], cancel=cancel or Cancellation(), progress=silent)
            rankings.append([key for key, _ in vectors.search(vector[0], depth)])
        fused = reciprocal_rank_fusion(rankings)
        found = self._index.passages([key for key, _ in fused])
        hits = [_hit(found[key], score) for key, score in fused if key in found]
        return _without_overlaps(hits)[:k]

    def page(self, page_id: str) -> Page:
        """A page of the corpus, with its text.

        Raises:
            StorageError: it is not in the page store.
        """
        return self._store.get(page_id)

    def page_ids(self) -> set[str]:
        """Every page that the corpus has."""
        return {d.page_id for d in self._index.documents().values() if d.page_id is not None}

    def counts(self) -> tuple[int, int]:
        """Pages and passages."""
        return self._index.page_count(), self._index.passage_count()

    def close(self) -> None:
        self._index.close()
        self._close_vectors()

    async def _update_site(
        self, fetcher: PageFetcher | None, cancel: Cancellation, progress: Progress
    ) -> IndexReport:
        if fetcher is None:
            raise CorpusError(f"corpus '{self.name}' is a site", remedy="update it with a fetcher")
        return await update_site(
            self.manifest, self._index, self._store, fetcher, cancel=cancel, progress=progress
        )

    def _finish(
        self,
        report: IndexReport,
        embed_at_most: int | None,
        cancel: Cancellation,
        progress: Progress,
    ) -> None:
        """Embed what is new, count, and date the corpus."""
        report.pages, report.passages = self.counts()
        if not report.pages:
            raise _nothing_indexed(self.manifest, report)
        waiting = self._index.unembedded_count()
        if self._embedder is not None and (embed_at_most is None or waiting <= embed_at_most):
            self._embed(self._embedder, cancel, progress)
        elif self._embedder is not None:
            report.unembedded = waiting
        elif self.manifest.embedder is not None:
            self._drop_stale_vectors(self._open_vectors())
        self._set_manifest(indexed_at=datetime.now(UTC))

    def _embed(self, embedder: Embedder, cancel: Cancellation, progress: Progress) -> None:
        vectors = self._open_vectors()
        self._drop_stale_vectors(vectors)
        expected = self._index.passage_count() - self._index.unembedded_count()
        if self.manifest.embedder != embedder.model_id or len(vectors) < expected:
            # Vectors of another model, or lost ones.
            self._index.forget_embeddings()
            vectors.clear()
            self._set_manifest(embedder=embedder.model_id)
        total = self._index.unembedded_count()
        task, done = f"embedding {self.name}", 0
        while batch := self._index.to_embed(_EMBEDDING_BATCH):
            cancel.check()
            progress(task, done, total, "passages")
            texts = list(self._texts(batch))
            keys = [passage.key for passage in batch]
            embedded = embedder.embed(texts, cancel=cancel, progress=silent)
            try:
                vectors.upsert(keys, embedded)
            except LeadlineError:
                # Chroma can hang on a write that follows a failed one: open it anew next time.
                self._close_vectors()
                raise
            self._index.mark_embedded(keys)
            done += len(batch)
        if total:
            progress(task, total, total, "passages")

    def _texts(self, batch: Sequence[Passage]) -> Iterator[str]:
        """Each passage under its page's title and its headings, as it is embedded."""
        page: Page | None = None
        for passage in batch:
            if page is None or page.page_id != passage.page_id:
                page = self._store.get(passage.page_id)
                headings = Headings(page.text)
            path = headings.above(passage.start)
            top = f"{passage.title} › {path}" if path and path != passage.title else passage.title
            yield f"{top}\n{page.text[passage.start : passage.end]}"

    def _searchable_vectors(self) -> VectorIndex | None:
        if self._embedder is None or self.manifest.embedder is None:
            return None
        if self.manifest.embedder != self._embedder.model_id:
            raise CorpusError(
                f"corpus '{self.name}' was embedded with {self.manifest.embedder}, "
                f"not with {self._embedder.model_id}",
                remedy="choose that embedder, or add the corpus again to embed it anew",
            )
        if self._index.unembedded_count():
            # A ranking of the pages that happen to be embedded would outvote the whole one.
            return None
        return self._open_vectors()

    def _open_vectors(self) -> VectorIndex:
        with self._vectors_lock:
            if self._vectors is None:
                self._vectors = VectorIndex(self._vector_folder)
            return self._vectors

    def _close_vectors(self) -> None:
        with self._vectors_lock:
            if self._vectors is not None:
                self._vectors.close()
                self._vectors = None

    def _drop_stale_vectors(self, vectors: VectorIndex) -> None:
        if stale := self._index.stale_vectors():
            vectors.remove(stale)
            self._index.clear_stale_vectors(stale)

    @property
    def _vector_folder(self) -> Path:
        return self._folder / "vectors"

    def _set_manifest(self, **changes: object) -> None:
        self.manifest = self.manifest.model_copy(update=changes)
        self.manifest.save(self._folder)


def _hit(passage: Passage, score: float) -> Hit:
    return Hit(passage.page_id, passage.start, passage.end, score, passage.title, passage.url)


def _without_overlaps(hits: Sequence[Hit]) -> list[Hit]:
    """Of hits that share characters only the best."""
    kept: list[Hit] = []
    for hit in hits:
        if not any(
            hit.page_id == other.page_id and hit.start < other.end and other.start < hit.end
            for other in kept
        ):
            kept.append(hit)
    return kept


def _nothing_indexed(manifest: CorpusManifest, report: IndexReport) -> CorpusError:
    where = manifest.origin
    if not report.skipped:
        return CorpusError(f"'{where}' holds no documents", remedy="give a folder with some in it")
    if len(report.skipped) == 1:
        only = report.skipped[0]
        return CorpusError(
            f"'{where}' holds no text that can be indexed, '{only.path}' is left out: {only.reason}",
            remedy="put text, Markdown, HTML or PDF files there",
        )
    reasons = ", ".join(f"{n} {reason}" for reason, n in report.skipped_by_reason().most_common(3))
    return CorpusError(
        f"'{where}' holds no text that can be indexed, "
        f"all {len(report.skipped)} documents are left out: {reasons}",
        remedy="put text, Markdown, HTML or PDF files there",
    )
