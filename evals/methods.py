"""The reading methods that can be measured, by name.

A new one is an opener in :data:`METHODS`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from ..agent.assembly import open_embedder, open_reader
from ..errors import ConfigError
from ..runtime.catalogue import resolve
from ..runtime.reader import FIRST_STAGE_IDS
from .attention_methods import open_attention, open_infiniretri, open_likelihood
from .bench import MINILM, Bench
from .reading_method import RankerMethod, ReaderMethod, ReadingMethod


async def _open_bm25(name: str, bench: Bench) -> ReadingMethod:
    return RankerMethod(name, "none", bench.lexical)


async def _open_minilm(name: str, bench: Bench) -> ReadingMethod:
    return RankerMethod(name, MINILM, await bench.embedding())


async def _open_fusion(name: str, bench: Bench) -> ReadingMethod:
    ranker = await bench.first_stage()
    return RankerMethod(name, MINILM, ranker)


async def _open_reader(name: str, bench: Bench) -> ReadingMethod:
    settings = bench.settings
    files = None if settings.reader in FIRST_STAGE_IDS else resolve(settings.reader)
    embedder = await open_embedder(settings, warn=bench.warn)
    reader = await open_reader(files, embedder, cancel=bench.cancel, progress=bench.progress)
    return ReaderMethod(name, reader, window_tokens=settings.reading_tokens)


Opener = Callable[[str, Bench], Awaitable[ReadingMethod]]
"""Given the name that it is registered under, and what methods share."""

METHODS: dict[str, Opener] = {
    "bm25": _open_bm25,
    "minilm": _open_minilm,
    "fusion": _open_fusion,
    "infiniretri": open_infiniretri,
    "icr": open_attention,
    "heads": open_attention,
    "heads+likelihood": open_attention,
    "likelihood": open_likelihood,
    "reader": _open_reader,
}

FIRST_STAGES = ("bm25", "minilm", "fusion")
"""Those that no reader takes part in."""


async def open_method(name: str, bench: Bench) -> ReadingMethod:
    """The method of that name, with its models loaded.

    Raises:
        ModelError: a model is not here or cannot be used.
        ReadingError: the method cannot read with its model.
    """
    return await METHODS[name](name, bench)


def check_methods(names: Sequence[str]) -> None:
    """Refuse a list of names that holds none, or one that is not in :data:`METHODS`.

    Raises:
        ConfigError: naming those that there are.
    """
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise ConfigError(
            f"no reading method is called {unknown[0]!r}" if unknown else "no method is named",
            remedy=f"there are: {', '.join(METHODS)}",
        )
