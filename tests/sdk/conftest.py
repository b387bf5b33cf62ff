"""A folder of documents and clients over it, with the engine of the examples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from leadline import AsyncLeadline, Leadline
from own_engine import RuleEngine

from ..programmes import documents, no_embedder

__all__ = ["documents", "no_embedder"]


@pytest.fixture
def blocking(documents: Path) -> Callable[..., Leadline]:
    def make(engine: RuleEngine | None = None) -> Leadline:
        return Leadline(corpora=[documents], engine=engine or RuleEngine(), reader="none")

    return make


@pytest.fixture
def awaited(documents: Path) -> Callable[..., AsyncLeadline]:
    def make(engine: RuleEngine | None = None) -> AsyncLeadline:
        return AsyncLeadline(corpora=[documents], engine=engine or RuleEngine(), reader="none")

    return make
