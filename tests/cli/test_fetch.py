"""``leadline fetch`` over a real socket, from the command line's outermost function."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from leadline.cli.main import run
from leadline.tools.page_store import PageStore, page_id_of

BODY = (
    b"<html lang=en><head><title>Lead lines</title></head><body><article><h1>Lead lines</h1>"
    b"<p>A lead line is a weighted rope with which sailors sounded the depth under the keel. "
    b"Its marks told the fathoms by leather, cloth and knots, so that they could be read in the "
    b"dark.</p><p>Tallow in the hollow of the lead brought up a sample of the bottom.</p>"
    b"</article></body></html>"
)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/old":
            self.send_response(301)
            self.send_header("Location", "/lead")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path in ("/lead", "/blank"):
            body = BODY if self.path == "/lead" else b"<html><body></body></html>"
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        else:
            self.send_error(404)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_text_of_a_page(host: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["fetch", f"http://{host}/old", "--allow-host", host]) == 0
    out, err = capfd.readouterr()
    title, url, _, blank, *text = out.splitlines()
    assert (title, url, blank) == ("Lead lines", f"http://{host}/lead", "")
    assert "sounded the depth under the keel" in "\n".join(text)
    assert err == ""


def test_json_and_the_page_store(
    host: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_ALLOW_HOSTS", json.dumps([host]))
    assert run(["fetch", "--json", f"http://{host}/old"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert list(shown) == [
        "page_id", "url", "final_url", "title", "media_type", "fetched_at", "published", "authors",
        "language", "text",
    ]  # fmt: skip
    assert shown["page_id"] == page_id_of(BODY)
    store = PageStore()
    page = store.get(shown["page_id"])
    assert (page.url, page.final_url) == (f"http://{host}/old", f"http://{host}/lead")
    assert page.text == shown["text"]
    store.close()


@pytest.mark.parametrize(
    ("path", "flags", "code", "message"),
    [
        ("/lead", [], 3, "127.0.0.1 is not a public address: "),
        ("/nowhere", ["--allow-host"], 3, "does not exist (status 404)"),
        ("/blank", ["--allow-host"], 2, "/blank'"),
    ],
)
def test_refusals_are_one_line(
    host: str,
    capfd: pytest.CaptureFixture[str],
    path: str,
    flags: list[str],
    code: int,
    message: str,
) -> None:
    arguments = [
        "fetch",
        f"http://{host}{path}",
        *(part for flag in flags for part in (flag, host)),
    ]
    assert run(arguments) == code
    out, err = capfd.readouterr()
    assert out == ""
    assert message in err
    assert len(err.splitlines()) == 1


def test_credentials_are_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["fetch", "http://user:secret@example.com/"]) == 3
    assert "secret" not in capfd.readouterr().err
