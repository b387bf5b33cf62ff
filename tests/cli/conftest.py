"""A model endpoint on loopback for tests of the command line."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


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
    """The settings name it, with no reader and no embedder."""
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
