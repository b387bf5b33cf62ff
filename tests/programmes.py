"""What tests of programmes around Leadline share: a folder, and settings that need no model."""

from __future__ import annotations

from pathlib import Path

import pytest

from own_engine import DOCUMENTS


@pytest.fixture(autouse=True)
def no_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLINE_EMBEDDER", "none")


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    """The documents that the engine of the examples knows answers from."""
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, text in DOCUMENTS.items():
        (folder / name).write_text(text)
    return folder
