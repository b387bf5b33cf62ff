"""Which pages are in use, and dropping others when there are too many."""

from __future__ import annotations

from ..locations import locations
from ..tools.corpus_catalogue import CorpusCatalogue
from ..tools.page_store import Eviction, PageStore
from .run_store import RunStore


def trim(store: PageStore, *, max_bytes: int) -> Eviction:
    """Bring ``store`` down to ``max_bytes`` without a page that a run or a corpus names. Blocks.

    Raises:
        CorpusError, StorageError: what is in use cannot be told; nothing was dropped.
    """
    used = store.bytes_used()
    if used <= max_bytes:
        return Eviction(0, used)
    in_use = RunStore(locations().runs).page_ids() | CorpusCatalogue(store=store).page_ids()
    return store.evict(max_bytes, keep=in_use)
