"""Nearest passages by embedding, in an embedded Chroma database."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, cast

from ..cancellation import Cancellation
from ..errors import CorpusError, LeadlineError, StorageError
from ..locations import make_private
from ..progress import Progress
from ..storage import storage_error

if TYPE_CHECKING:
    import numpy as np
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

T = TypeVar("T")

_COLLECTION = "passages"
_BATCH = 1000


class Embedder(Protocol):
    """Turns texts into vectors; implemented by the runtime."""

    model_id: str
    """The catalogue's name of the model: vectors of different models cannot be compared."""
    dimensions: int

    def embed(
        self, texts: Sequence[str], *, cancel: Cancellation, progress: Progress
    ) -> np.ndarray:
        """Unit vectors, float32, shape ``(len(texts), dimensions)``.

        Raises:
            Cancelled: ``cancel`` was set.
        """
        ...


class VectorIndex:
    """Vectors by integer key, compared by cosine, in the folder ``folder``.

    Chroma runs in this process, without telemetry, and embeds nothing by itself. One process may
    write at a time; the caller sees to that.

    Raises:
        StorageError: the folder cannot be written.
        CorpusError: what is in it cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = make_private(folder)
        self._client = self._guarded(self._open)
        self._collection = self._guarded(self._open_collection)

    def upsert(self, keys: Sequence[int], vectors: np.ndarray) -> None:
        """Set the vectors of ``keys``; shape ``(len(keys), dimensions)``."""
        for start in range(0, len(keys), _BATCH):
            ids = [str(key) for key in keys[start : start + _BATCH]]
            batch = vectors[start : start + _BATCH]
            self._guarded(functools.partial(self._collection.upsert, ids, batch))

    def remove(self, keys: Sequence[int]) -> None:
        """Forget the vectors of ``keys``; unknown ones are ignored."""
        for start in range(0, len(keys), _BATCH):
            ids = [str(key) for key in keys[start : start + _BATCH]]
            self._guarded(functools.partial(self._collection.delete, ids=ids))

    def search(self, vector: np.ndarray, k: int) -> list[tuple[int, float]]:
        """Keys and cosine similarities of the ``k`` nearest to ``vector``, nearest first."""
        k = min(k, len(self))
        if k < 1:
            return []
        found = self._guarded(
            lambda: self._collection.query(
                query_embeddings=vector.reshape(1, -1), n_results=k, include=["distances"]
            )
        )
        distances = found["distances"] or [[]]
        return [
            (int(key), 1.0 - float(distance))
            for key, distance in zip(found["ids"][0], distances[0], strict=True)
        ]

    def clear(self) -> None:
        """Forget all vectors, and with them their number of dimensions."""
        self._guarded(functools.partial(self._client.delete_collection, _COLLECTION))
        self._collection = self._guarded(self._open_collection)

    def __len__(self) -> int:
        return self._guarded(self._collection.count)

    def close(self) -> None:
        self._client.close()

    def _open(self) -> Client:
        # Read at import by the telemetry that Chroma's dependencies bring along.
        os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")
        import chromadb
        from chromadb.config import Settings

        return cast(
            "Client",
            chromadb.PersistentClient(
                path=str(self._folder), settings=Settings(anonymized_telemetry=False)
            ),
        )

    def _open_collection(self) -> Collection:
        return self._client.get_or_create_collection(
            _COLLECTION, embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )

    def _guarded(self, action: Callable[[], T]) -> T:
        try:
            return action()
        except LeadlineError:
            raise
        except OSError as error:
            raise storage_error(self._folder, error) from error
        except Exception as error:  # Its native part has no base class of its own.
            raise _translated(self._folder, error) from error


def _translated(folder: Path, error: Exception) -> LeadlineError:
    words = str(error)
    if any(sign in words.lower() for sign in ("disk is full", "no space left", "disk i/o error")):
        return StorageError(
            f"no space left on the disk that holds {folder} ({words})",
            remedy="free some space, or set LEADLINE_HOME to a folder on another disk",
        )
    if "readonly" in words.lower() or "permission" in words.lower():
        return StorageError(
            f"cannot write {folder} ({words})",
            remedy="check its permissions, or set LEADLINE_HOME to a folder that can be written",
        )
    return CorpusError(
        f"the vector index {folder} cannot be used ({words})",
        remedy="remove the folder and index the corpus again",
    )
