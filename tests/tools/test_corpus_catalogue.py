"""Corpora by name."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import CorpusError
from leadline.tools.corpus_catalogue import CorpusCatalogue


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "some docs"
    root.mkdir()
    (root / "a.txt").write_text("By the mark seven.")
    return root


def test_added_listed_removed(folder: Path) -> None:
    catalogue = CorpusCatalogue()
    assert catalogue.names() == []
    corpus = catalogue.add("sea", str(folder))
    asyncio.run(corpus.update(cancel=Cancellation()))
    assert CorpusCatalogue().names() == ["sea"]
    assert CorpusCatalogue().open("sea").counts() == (1, 1)
    page_id = corpus.search("mark", 1)[0].page_id
    catalogue.remove("sea")
    assert catalogue.names() == []
    assert corpus.page(page_id).text == "By the mark seven."


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "-x", "a b", "x" * 65, "é", "a\0"])
def test_names_that_are_none(folder: Path, name: str) -> None:
    for action in (
        lambda: CorpusCatalogue().add(name, str(folder)),
        lambda: CorpusCatalogue().remove(name),
    ):
        with pytest.raises(CorpusError, match="cannot be the name of a corpus"):
            action()


def test_a_name_stands_for_one_origin(folder: Path, tmp_path: Path) -> None:
    catalogue = CorpusCatalogue()
    catalogue.add("sea", str(folder))
    assert catalogue.add("sea", str(folder), embeddings=False).manifest.embeddings is False
    with pytest.raises(CorpusError, match=r"'sea' exists already, of .*some docs"):
        catalogue.add("sea", str(tmp_path))


@pytest.mark.parametrize("action", ["open", "remove", "open_any"])
def test_unknown_names_get_a_remedy(action: str) -> None:
    with pytest.raises(CorpusError, match=r"there is no corpus 'ocean'.*corpus list"):
        getattr(CorpusCatalogue(), action)("ocean")


def test_nothing_at_the_path(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="there is no folder or file"):
        CorpusCatalogue().add("sea", str(tmp_path / "nowhere"))
    with pytest.raises(CorpusError, match="there is no folder or file"):
        CorpusCatalogue().open_any(str(tmp_path / "nowhere"))


def test_a_directory_gets_one_corpus(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = CorpusCatalogue()
    first = catalogue.open_any(str(folder))
    monkeypatch.chdir(folder.parent)
    assert catalogue.open_any("some docs").name == first.name
    assert first.name.startswith("some-docs-")
    assert catalogue.names() == [first.name]


def test_a_name_comes_before_a_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue = CorpusCatalogue()
    catalogue.add("sea", str(folder))
    monkeypatch.chdir(folder.parent)
    (folder.parent / "sea").mkdir()
    assert catalogue.open_any("sea").manifest.origin == str(folder)


def test_damaged_manifest_is_named(folder: Path, home: Path) -> None:
    CorpusCatalogue().add("sea", str(folder))
    (home / "state" / "corpora" / "sea" / "manifest.json").write_text("{")
    with pytest.raises(CorpusError, match=r"manifest\.json of corpus 'sea' cannot be read"):
        CorpusCatalogue().open("sea")
