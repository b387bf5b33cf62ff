"""A folder of documents as a corpus that an evaluation searches, every passage embedded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

from ..agent.assembly import open_embedder
from ..cancellation import Cancellation
from ..progress import Progress
from ..settings import Settings
from ..tools.corpus import Corpus
from ..tools.corpus_catalogue import CorpusCatalogue
from ..tools.page_store import PageStore


@asynccontextmanager
async def indexed_folder(
    folder: Path,
    store: PageStore,
    settings: Settings,
    *,
    cancel: Cancellation,
    progress: Progress,
    warn: Callable[[str], None],
) -> AsyncIterator[Corpus]:
    """The documents in ``folder``, brought up to date; their pages go to ``store``.

    Raises:
        ModelError: the embedder cannot be used.
        CorpusError: nothing in the folder can be indexed.
        Cancelled: ``cancel`` was set meanwhile.
    """
    embedder = await open_embedder(settings, progress=progress, warn=warn)
    catalogue = CorpusCatalogue(store=store, embedder=embedder)
    with closing(catalogue.open_directory(str(folder))) as corpus:
        await corpus.update(cancel=cancel, progress=progress)
        yield corpus
