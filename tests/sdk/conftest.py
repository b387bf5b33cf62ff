"""A folder of documents and clients over it, with the engine of the examples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from leadline import AsyncLeadline, Leadline
from own_engine import DOCUMENTS, RuleEngine


@pytest.fixture(autouse=True)
def no_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLINE_EMBEDDER", "none")


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text)
    return folder


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
