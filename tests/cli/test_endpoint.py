"""An endpoint that fails: one line that names it and the remedy, and the exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run

from .conftest import Endpoint


@pytest.fixture
def question(tmp_path: Path) -> list[str]:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.md").write_text("# Harbour\n\nThe harbour was opened in 1902.\n")
    return ["Opening of the harbour, and why?", "--corpus", str(folder), "--quiet"]


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    captured = capsys.readouterr()
    assert captured.out == ""
    [line] = captured.err.splitlines()
    assert line.startswith("leadline: ")
    return line


@pytest.mark.parametrize("status", [429, 500])
def test_an_endpoint_that_refuses_for_good(
    endpoint: Endpoint, question: list[str], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.status = status
    endpoint.headers = {"Retry_After": "1"}
    assert run(question) == ExitCode.UNAVAILABLE
    line = complaint(capsys)
    assert endpoint.url in line
    assert str(status) in line


def test_an_endpoint_that_wants_a_key(
    endpoint: Endpoint, question: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.status = 401
    assert run(question) == ExitCode.USAGE
    assert "LEADLINE_ENDPOINT_KEY" in complaint(capsys)


def test_an_endpoint_that_does_not_take_the_key(
    endpoint: Endpoint,
    question: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LEADLINE_ENDPOINT_KEY", "sk-secret")
    endpoint.status = 401
    assert run(question) == ExitCode.UNAVAILABLE
    line = complaint(capsys)
    assert endpoint.url in line
    assert "sk-secret" not in line


def test_an_endpoint_that_answers_malformed_json(
    endpoint: Endpoint, question: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.body = "data: {malformed\n\n"
    endpoint.headers = {"Content_Type": "text/event-stream"}
    assert run(question) == ExitCode.UNAVAILABLE
    assert endpoint.url in complaint(capsys)


def test_an_endpoint_that_answers_nothing(
    endpoint: Endpoint, question: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.hang_up = True
    assert run(question) == ExitCode.UNAVAILABLE
    assert endpoint.url in complaint(capsys)


def test_an_endpoint_that_is_not_there(
    endpoint: Endpoint, question: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint.shutdown()
    endpoint.server_close()
    assert run(question) == ExitCode.UNAVAILABLE
    assert endpoint.url in complaint(capsys)
