"""A folder of documents, the engine of the examples, and a programme that serves both."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadline import AsyncLeadline
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
def lead(documents: Path) -> AsyncLeadline:
    return AsyncLeadline(corpora=[documents], engine=RuleEngine(), reader="none")
