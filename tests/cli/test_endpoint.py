"""An endpoint that fails: one line that names it and the remedy, and the exit code."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run


class Endpoint(ThreadingHTTPServer):
    """Answers every request alike, the list of models apart."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = 200
        self.body = "{}"
        self.headers: dict[str, str] = {}
        self.hang_up = False

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_GET(self) -> None:
        self._send(200, json.dumps({"data": [{"id": "served"}]}))

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.hang_up:
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self._send(self.server.status, self.server.body, **self.server.headers)

    def _send(self, status: int, body: str, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Keep stderr for the programme."""


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    server = Endpoint()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    monkeypatch.setenv("LEADLINE_ENDPOINT", server.url)
    monkeypatch.setenv("LEADLINE_MODEL", "served")
    monkeypatch.setenv("LEADLINE_READER", "none")
    monkeypatch.setenv("LEADLINE_EMBEDDER", "none")
    yield server
    server.shutdown()
    server.server_close()


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
