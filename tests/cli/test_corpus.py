"""``leadline corpus``, through the command line's own entry."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadline.cli.main import run


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    root = tmp_path / "docs"
    root.mkdir()
    (root / "lead.md").write_text("# The lead\n\nIt is armed with tallow.")
    (root / "fathom.txt").write_text("A fathom is six feet.")
    return root


def test_add_search_list_rm(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["corpus", "add", "sea", str(folder)]) == 0
    out, err = capfd.readouterr()
    assert out.startswith("sea: 2 pages, 2 passages")
    assert "searching by words alone" in err and "models pull all-minilm-l6-v2" in err

    assert run(["corpus", "add", "sea", str(folder), "--no-embeddings", "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out) | {"seconds": 0} == {
        "name": "sea",
        "pages": 2,
        "passages": 2,
        "added": 0,
        "unchanged": 2,
        "removed": 0,
        "skipped": [],
        "seconds": 0,
    }
    assert "warning" not in err

    assert run(["corpus", "search", "sea", "what is the lead armed with", "-k", "1", "--json"]) == 0
    (hit,) = json.loads(capfd.readouterr().out)
    assert hit["title"] == "The lead" and "tallow" in hit["quote"]
    assert hit["url"] == (folder / "lead.md").as_uri()
    assert hit["end"] - hit["start"] == len(hit["quote"])

    assert run(["corpus", "search", "sea", "six feet"]) == 0
    assert capfd.readouterr().out.startswith("1. fathom.txt\n   file://")

    assert run(["corpus", "list", "--json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert (row["name"], row["pages"], row["origin"]) == ("sea", 2, str(folder))
    assert run(["corpus", "list"]) == 0
    assert "sea" in capfd.readouterr().out

    assert run(["corpus", "rm", "sea"]) == 0
    capfd.readouterr()
    assert run(["corpus", "list", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == []


def test_skipped_files_are_told_on_stderr(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "cat.png").write_bytes(b"\x89PNG\0\0")
    with open(folder / "huge.txt", "wb") as file:
        file.truncate(2 * 2**30)
    assert run(["corpus", "add", "sea", str(folder), "--no-embeddings"]) == 0
    err = capfd.readouterr().err
    assert "left out 'cat.png': is a binary file" in err
    assert "left out 'huge.txt': larger than 64 MiB" in err


def test_search_in_a_directory(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["corpus", "search", "docs", "tallow", "--json"]) == 0
    assert len(json.loads(capfd.readouterr().out)) == 1
    (folder / "new.txt").write_text("Tallow is rendered fat.")
    assert run(["corpus", "search", "./docs", "tallow", "--json"]) == 0
    assert len(json.loads(capfd.readouterr().out)) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["search", "ocean", "x"], "there is no corpus 'ocean'"),
        (["rm", "ocean"], "there is no corpus 'ocean'"),
        (["add", "a/b", "docs"], "'a/b' cannot be the name"),
        (["add", "sea", "nowhere"], "there is no folder or file 'nowhere'"),
        (["add", "sea", "empty"], "holds no documents"),
    ],
)
def test_input_errors_are_one_line_and_exit_2(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    (tmp_path / "empty").mkdir()
    assert run(["corpus", *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == "" and words in err
    assert len([line for line in err.splitlines() if not line.startswith("warning")]) == 1


def test_a_failed_add_leaves_no_corpus(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert run(["corpus", "add", "sea", "empty"]) == 2
    capfd.readouterr()
    assert run(["corpus", "list", "--json"]) == 0
    assert json.loads(capfd.readouterr().out) == []
