"""A question to the web with a model but no network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from threading import Thread

import pytest

from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run

from .test_endpoint import Endpoint


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """An endpoint that would answer."""
    server = Endpoint()
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("LEADLINE_ENDPOINT", server.url)
    monkeypatch.setenv("LEADLINE_MODEL", "served")
    monkeypatch.setenv("LEADLINE_READER", "none")
    monkeypatch.setenv("LEADLINE_EMBEDDER", "none")
    yield server
    server.shutdown()
    server.server_close()


def test_every_search_backend_is_down(
    model: ThreadingHTTPServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LEADLINE_SEARCH_BACKENDS", '["searxng"]')
    monkeypatch.setenv("LEADLINE_SEARXNG_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LEADLINE_ALLOW_HOSTS", '["127.0.0.1:9"]')
    assert run(["What is the newest release?", "--json", "--quiet"]) == ExitCode.UNAVAILABLE
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["status"] == "failed"
    [problem] = report["errors"]
    assert problem["kind"] == "SearchError"
    assert "127.0.0.1:9" in problem["message"]
    assert "127.0.0.1:9" in captured.err
    assert "What failed" in report["markdown"]
