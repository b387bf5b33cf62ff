"""What reading methods share while they are measured one after the other."""

from __future__ import annotations

from collections.abc import Callable

from ..cancellation import Cancellation
from ..progress import Progress, silent
from ..runtime.catalogue import resolve
from ..runtime.embedder import Embedder
from ..settings import Settings
from ..threads import in_thread
from .rankers import EmbeddingRanker, FusedRanker, LexicalRanker

MINILM = "all-minilm-l6-v2"


class Bench:
    """Settings, and the rankers with what they have indexed so far."""

    def __init__(
        self,
        settings: Settings,
        *,
        cancel: Cancellation,
        progress: Progress = silent,
        warn: Callable[[str], None],
    ) -> None:
        self.settings = settings
        self.cancel = cancel
        self.progress = progress
        self.warn = warn
        self.lexical = LexicalRanker()
        self._embedding: EmbeddingRanker | None = None

    async def embedding(self) -> EmbeddingRanker:
        """MiniLM with the vectors made so far.

        Raises:
            ModelError: it is not here or cannot be used.
        """
        if self._embedding is None:
            files = resolve(MINILM)
            embedder = await in_thread(lambda _: Embedder(files.folder, model_id=files.id))
            self._embedding = EmbeddingRanker(embedder)
        return self._embedding

    async def first_stage(self) -> FusedRanker:
        """BM25 and MiniLM fused over all passages: what attention methods start from.

        Raises:
            ModelError: the embedder is not here or cannot be used.
        """
        return FusedRanker(self.lexical, await self.embedding())
