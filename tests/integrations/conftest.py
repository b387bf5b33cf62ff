"""A folder of documents, the engine of the examples, and a programme that serves both."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadline import AsyncLeadline
from own_engine import RuleEngine

from ..programmes import documents, no_embedder

__all__ = ["documents", "no_embedder"]


@pytest.fixture
def lead(documents: Path) -> AsyncLeadline:
    return AsyncLeadline(corpora=[documents], engine=RuleEngine(), reader="none")
