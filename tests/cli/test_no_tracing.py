"""Tracing that the user's environment asks for elsewhere gets nothing of a run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ..willing_endpoint import willing_endpoint

_ASK = (sys.executable, "-m", "leadline", "When was the harbour opened?")


class Collector(ThreadingHTTPServer):
    """Takes what tracers send, and keeps the paths it was sent to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: object) -> None:
        """Keep stderr for the programme."""


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield server
        server.shutdown()


def test_langsmith_is_told_nothing_of_a_run(collector: Collector, tmp_path: Path) -> None:
    (tmp_path / "town.md").write_text("# Town\n\nThe harbour was opened in 1902.\n")
    with willing_endpoint() as url:
        environment = {
            **os.environ,
            "LEADLINE_ENDPOINT": url,
            "LEADLINE_READER": "none",
            "LEADLINE_EMBEDDER": "none",
            "LANGSMITH_TRACING": "true",
            "LANGSMITH_API_KEY": "key",
            "LANGSMITH_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        }
        # A process of its own: what was recorded is sent at its end.
        done = subprocess.run(
            [*_ASK, "--corpus", str(tmp_path)],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert "1902" in done.stdout, done.stderr
    assert collector.asked == []
