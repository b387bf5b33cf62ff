"""Bad input to ``leadline "question"``: one line, the thing and the remedy, the exit code."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.md").write_text("# Harbour\n\nThe harbour was opened in 1902.\n")
    return folder


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    lines = [line for line in captured.err.splitlines() if line.startswith("leadline: ")]
    assert len(lines) == 1, captured.err
    return lines[0]


@pytest.mark.parametrize("question", ["", "   ", "?"])
def test_an_empty_question(question: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["ask", question]) == ExitCode.USAGE
    assert "question is empty" in complaint(capsys)


def test_a_question_of_50000_characters(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["x" * 50_000]) == ExitCode.USAGE
    assert "50,000 characters, 4,000 are allowed" in complaint(capsys)


def test_an_empty_stdin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert run([]) == ExitCode.USAGE
    assert "question is empty" in complaint(capsys)


def test_no_model_on_this_machine(documents: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["Why is it?", "--corpus", str(documents)]) == ExitCode.UNAVAILABLE
    line = complaint(capsys)
    assert "qwen2.5-coder-1.5b" in line
    assert "leadline models pull qwen2.5-coder-1.5b" in line


def test_a_corrupt_gguf(
    documents: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + b"\x00\xff" * 500)
    status = run(["Why?", "why", "--model", str(broken), "--corpus", str(documents)])
    assert status == ExitCode.UNAVAILABLE
    assert "broken.gguf" in complaint(capsys)


def test_an_unknown_model_names_the_nearest(
    documents: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run(["Why is it?", "--model", "qwen2.5-coder-1.5", "--corpus", str(documents)])
    assert status == ExitCode.USAGE
    assert "'qwen2.5-coder-1.5b'" in complaint(capsys)


def test_nothing_to_search(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["Why is it?", "--no-web"]) == ExitCode.USAGE
    assert "--corpus" in capsys.readouterr().err


def test_options_that_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["Why?", "--web", "--no-web"]) == ExitCode.USAGE
    assert run(["Why?", "--json", "--jsonl"]) == ExitCode.USAGE


def test_a_budget_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["Why?", "--seconds", "0"]) == ExitCode.USAGE
