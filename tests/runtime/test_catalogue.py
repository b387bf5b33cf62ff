"""The catalogue: looking models up, trusting what is on the disk, refusing what was altered."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from leadline.errors import ConfigError, InputError, ModelCorrupt, ModelMissing
from leadline.locations import locations
from leadline.runtime.catalogue import find, model_state, resolve, verify
from leadline.runtime.catalogue_entries import (
    CATALOGUE,
    CatalogueEntry,
    CatalogueFile,
    HubSource,
    WheelSource,
)
from leadline.runtime.stamps import stamp_path, write_stamp

CONTENT = b"GGUF" + bytes(range(256)) * 40


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> CatalogueEntry:
    """A pinned entry of one file."""
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    entry = _entry("tiny", CatalogueFile("tiny.gguf", len(CONTENT), sha256))
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    return entry


@pytest.fixture
def unpinned(monkeypatch: pytest.MonkeyPatch) -> CatalogueEntry:
    entry = _entry("loose", CatalogueFile("loose.gguf"))
    monkeypatch.setitem(CATALOGUE, "loose", entry)
    return entry


def _entry(model_id: str, *files: CatalogueFile) -> CatalogueEntry:
    return CatalogueEntry(
        id=model_id,
        kind="generator",
        files=files,
        licence="Apache-2.0",
        context_length=512,
        description="for tests",
        sources=(HubSource("nobody/nothing"),),
    )


def _place(entry: CatalogueEntry, content: bytes = CONTENT) -> Path:
    path = locations().models / entry.id / entry.files[0].name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_entries_are_consistent() -> None:
    for model_id, entry in CATALOGUE.items():
        assert entry.id == model_id
        assert entry.sources, "a model must come from somewhere"
        names = [file.name for file in entry.files]
        assert len(set(names)) == len(names)
        for file in entry.files:
            assert (file.bytes is None) == (file.sha256 is None)
            assert file.sha256 is None or len(file.sha256) == 64
        for source in entry.sources:
            if isinstance(source, WheelSource):
                assert entry.pinned, "what comes in pieces must be pinned"
                for file in entry.files:
                    assert sum(part.bytes for part in source.parts[file.name]) == file.bytes


def test_the_models_of_the_design_are_pinned() -> None:
    pinned = {entry.id for entry in CATALOGUE.values() if entry.pinned}
    assert pinned == {
        "qwen2.5-coder-1.5b",
        "qwen2.5-coder-0.5b",
        "smollm2-135m",
        "all-minilm-l6-v2",
    }


def test_an_unknown_id_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'qwen2\.5-coder-1\.5b'"):
        find("qwen2.5-coder-1.5")
    with pytest.raises(ConfigError):
        resolve("qwen")


def test_a_model_that_is_not_here(tiny: CatalogueEntry) -> None:
    with pytest.raises(ModelMissing) as raised:
        resolve("tiny")
    assert raised.value.problem == "model 'tiny' is not on this machine"
    assert raised.value.remedy == "leadline models pull tiny"
    assert model_state(tiny).word == "not here"


def test_a_file_is_read_once_and_then_trusted_by_size_and_time(tiny: CatalogueEntry) -> None:
    path = _place(tiny)
    assert model_state(tiny).word == "unchecked"
    files = resolve("tiny")
    assert files.weights == files.path == path
    assert files.sha256 == tiny.files[0].sha256
    assert model_state(tiny).word == "ready"
    status = path.stat()
    path.write_bytes(bytes(len(CONTENT)))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert resolve("tiny") == files, "the digest is not computed at each start"
    with pytest.raises(ModelCorrupt, match="altered"):
        verify("tiny")
    assert not path.exists()


def test_a_touched_file_is_read_again_and_kept(tiny: CatalogueEntry) -> None:
    path = _place(tiny)
    resolve("tiny")
    os.utime(path, ns=(1, 1))
    assert model_state(tiny).word == "unchecked"
    assert resolve("tiny").weights == path
    assert model_state(tiny).word == "ready"


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (CONTENT[:-1], f"'tiny.gguf' of 'tiny' is truncated: it has {len(CONTENT) - 1:,} bytes"),
        (CONTENT + b"!", "'tiny.gguf' of 'tiny' is altered"),
        (b"?" + CONTENT[1:], "expected " + hashlib.sha256(CONTENT).hexdigest()),
    ],
)
def test_a_damaged_file_is_refused_by_name_and_removed(
    tiny: CatalogueEntry, content: bytes, problem: str
) -> None:
    path = _place(tiny)
    resolve("tiny")
    path.write_bytes(content)
    with pytest.raises(ModelCorrupt) as raised:
        resolve("tiny")
    assert problem in raised.value.problem
    assert raised.value.remedy == "leadline models pull tiny"
    assert not path.exists()
    with pytest.raises(ModelMissing):
        resolve("tiny")


def test_an_unreadable_stamp_costs_a_reading_only(tiny: CatalogueEntry) -> None:
    path = _place(tiny)
    stamp_path(path).write_text('{"bytes": -1}')
    assert resolve("tiny").weights == path


def test_a_file_without_any_pin_is_not_taken_for_the_model(unpinned: CatalogueEntry) -> None:
    _place(unpinned)
    with pytest.raises(ModelMissing):
        resolve("loose")


def test_the_digest_of_the_first_download_holds(unpinned: CatalogueEntry) -> None:
    path = _place(unpinned)
    write_stamp(path, hashlib.sha256(CONTENT).hexdigest())
    assert resolve("loose").sha256 == hashlib.sha256(CONTENT).hexdigest()
    path.write_bytes(CONTENT + b"more")
    with pytest.raises(ModelCorrupt, match="altered"):
        resolve("loose")


def test_a_gguf_path_is_its_own_model(tmp_path: Path) -> None:
    path = tmp_path / "own.gguf"
    path.write_bytes(CONTENT)
    files = resolve(str(path))
    assert (files.weights, files.kind, files.sha256) == (path, "generator", None)


def test_a_path_that_is_no_gguf_file(tmp_path: Path) -> None:
    (tmp_path / "page.gguf").write_text("<html>")
    with pytest.raises(InputError, match="not a GGUF file"):
        resolve(str(tmp_path / "page.gguf"))
    with pytest.raises(InputError, match="No such file"):
        resolve(str(tmp_path / "nothing.gguf"))
    with pytest.raises(InputError, match="directory"):
        resolve(str(tmp_path))
