from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLINE_OFFLINE", "true")


def test_what_is_missing_is_said_with_its_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == ExitCode.UNAVAILABLE
    findings = json.loads(capsys.readouterr().out)
    parts = {finding["part"] for finding in findings}
    assert {"disk", "kernels", "models", "search"} <= parts
    [model] = [f for f in findings if f["name"] == "qwen2.5-coder-1.5b"]
    assert "leadline models pull qwen2.5-coder-1.5b" in model["why_not"][0]
    [kernel] = [f for f in findings if f["name"] == "torch"]
    assert kernel["why_not"] == []


def test_what_is_not_needed_does_not_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEADLINE_SEARCH_BACKENDS", '["searxng"]')
    run(["doctor", "--json"])
    findings = json.loads(capsys.readouterr().out)
    search = {f["name"]: f for f in findings if f["part"] == "search"}
    assert "searxng_url" in search["searxng"]["why_not"][0]
    assert not search["searxng"]["needed"]


def test_a_missing_key_is_said_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEADLINE_EXA_KEY", "sesame")
    run(["doctor", "--json"])
    out = capsys.readouterr().out
    search = {f["name"]: f for f in json.loads(out) if f["part"] == "search"}
    assert "set LEADLINE_BRAVE_KEY" in search["brave"]["why_not"][0]
    assert search["exa"]["why_not"] == []
    assert search["wikipedia"]["detail"] == "not in use"
    assert "sesame" not in out


def test_an_endpoint_that_is_not_there_is_a_finding(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LEADLINE_ENDPOINT", "http://127.0.0.1:9/v1")
    assert run(["doctor"]) == ExitCode.UNAVAILABLE
    assert "127.0.0.1:9" in capsys.readouterr().out


class Searched(ThreadingHTTPServer):
    """A SearXNG server that answers every request alike, after ``seconds``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SearchedHandler)
        self.status, self.headers, self.seconds = 200, dict[str, str](), 0.0
        hits = [{"url": f"https://{name}.example/", "title": name} for name in "abc"]
        self.body = json.dumps({"results": hits})
        self.paths: list[str] = []


class SearchedHandler(BaseHTTPRequestHandler):
    server: Searched

    def do_GET(self) -> None:
        self.server.paths.append(self.path)
        time.sleep(self.server.seconds)
        body = self.server.body.encode()
        self.send_response(self.server.status)
        for name, value in {**self.server.headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Keep stderr for the programme."""


@pytest.fixture
def searxng(monkeypatch: pytest.MonkeyPatch) -> Iterator[Searched]:
    """The one backend in use."""
    server = Searched()
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("LEADLINE_OFFLINE", "false")
    monkeypatch.setenv("LEADLINE_SEARCH_BACKENDS", "searxng")
    monkeypatch.setenv("LEADLINE_SEARXNG_URL", f"http://127.0.0.1:{server.server_port}")
    yield server
    server.shutdown()
    server.server_close()


def found_of(name: str, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, object]:
    run(["doctor", "--json", *options])
    [found] = [f for f in json.loads(capsys.readouterr().out) if f["name"] == name]
    return dict(found)


def test_a_backend_that_answers(searxng: Searched, capsys: pytest.CaptureFixture[str]) -> None:
    found = found_of("searxng", capsys)
    assert re.fullmatch(r"in use, answered 3 results in [\d,]+ ms", str(found["detail"]))
    assert found["why_not"] == []
    assert len(searxng.paths) == 1


@pytest.mark.parametrize(
    ("status", "body", "reasons"),
    [
        (403, "", ["refuses JSON (status 403)", "search.formats"]),
        (429, "", ["asks for fewer searches (status 429)", "in 90 s, as it asks"]),
        (500, "", ["answers with status 500", "check its address and its log"]),
        (200, "<html>", ["talks something other than SearXNG's JSON"]),
        (200, '{"results": [], "unresponsive_engines": [["a", "CAPTCHA"]]}', ["(a CAPTCHA)"]),
    ],
)
def test_a_backend_that_does_not_answer(
    searxng: Searched,
    capsys: pytest.CaptureFixture[str],
    status: int,
    body: str,
    reasons: list[str],
) -> None:
    searxng.status, searxng.body, searxng.headers = status, body, {"Retry-After": "90"}
    found = found_of("searxng", capsys)
    assert found["detail"] == "in use"
    assert all(reason in str(found["why_not"]) for reason in reasons)


def test_a_backend_that_is_not_there(
    searxng: Searched, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        monkeypatch.setenv("LEADLINE_SEARXNG_URL", f"http://127.0.0.1:{port}")
        found = found_of("searxng", capsys)
    assert "refuses the connection, no server listens there" in str(found["why_not"])


def test_a_name_that_is_not_known(
    searxng: Searched, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_SEARXNG_URL", "http://searxng.invalid")
    reasons = str(found_of("searxng", capsys)["why_not"])
    assert "cannot find the host searxng.invalid" in reasons
    assert "name service" in reasons


def test_a_key_that_is_refused(
    searxng: Searched, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_SEARCH_URLS", f"brave=http://127.0.0.1:{searxng.server_port}")
    monkeypatch.setenv("LEADLINE_SEARCH_BACKENDS", "brave")
    monkeypatch.setenv("LEADLINE_BRAVE_KEY", "sesame")
    searxng.status = 401
    found = found_of("brave", capsys)
    assert "refuses its key (status 401): check the key" in str(found["why_not"])
    assert "sesame" not in str(found)


def test_what_is_not_in_use_is_asked_on_demand(
    searxng: Searched, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    services = ("wikipedia", "arxiv", "crossref")
    base = f"http://127.0.0.1:{searxng.server_port}"
    monkeypatch.setenv("LEADLINE_SEARCH_URLS", ",".join(f"{name}={base}" for name in services))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)  # no ddgs
    assert found_of("wikipedia", capsys)["detail"] == "not in use"
    assert len(searxng.paths) == 1
    found = found_of("wikipedia", capsys, "--all-backends")
    assert "talks something other than" in str(found["why_not"])
    assert len(searxng.paths) == 5


def test_nobody_is_asked_offline(
    searxng: Searched, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_OFFLINE", "true")
    found = found_of("searxng", capsys)
    assert found["detail"] == "in use, not asked: offline"
    assert found["why_not"] == searxng.paths == []


def test_silence_is_bounded(
    searxng: Searched, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadline.cli.doctor._ASK_SECONDS", 0.3)
    searxng.seconds = 3
    started = time.monotonic()
    assert "did not answer within 0.3 s" in str(found_of("searxng", capsys)["why_not"])
    assert time.monotonic() - started < 2.5


def test_asking_is_stopped(searxng: Searched, capsys: pytest.CaptureFixture[str]) -> None:
    searxng.seconds = 5

    def interrupt() -> None:
        while not searxng.paths:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    started = time.monotonic()
    assert run(["doctor"]) == ExitCode.INTERRUPTED
    assert time.monotonic() - started < 3
