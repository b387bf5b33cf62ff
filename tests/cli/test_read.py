"""``leadline read``, from the command line's outermost function."""

from __future__ import annotations

import io
import json
import re
import struct
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pypdfium2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdfium2 import raw as pdfium

from leadline.cli.main import run
from leadline.safe_text import safe_line, safe_text
from leadline.tools.page_store import PageStore

TEXT = """# Sounding lines

A lead line is a weighted rope. Sailors sounded the depth under the keel with it.

## Arming the lead

The hollow of the lead was filled with tallow. Sand or shells stuck to it, so that the pilot knew
the ground.

## Echo sounders

A pulse of sound is sent down. The time until its echo returns tells the depth.
"""


@pytest.fixture(autouse=True)
def docs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with no model to read with."""
    monkeypatch.setenv("LEADLINE_READER", "none")
    monkeypatch.setenv("LEADLINE_EMBEDDER", "none")
    for name in ("FORCE_COLOR", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "docs"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "sounding.md").write_text(TEXT)
    return folder


def pipe(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))


def test_json_of_a_file(docs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "sounding.md", "What filled the hollow?", "--json", "--top", "1"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert list(shown) == [
        "questions", "pages", "evidence", "unreadable", "read_tokens", "seconds", "model",
    ]  # fmt: skip
    [page], [found] = shown["pages"], shown["evidence"]
    assert shown["questions"] == [found["question"]] == ["What filled the hollow?"]
    assert (page["title"], page["path"]) == ("Sounding lines", str(docs / "sounding.md"))
    assert page["url"] == found["url"] == (docs / "sounding.md").as_uri()
    assert page["chars"] == len(TEXT.strip())
    assert TEXT[found["start"] : found["end"]] == found["quote"]
    assert "tallow" in found["quote"] and found["score"] > 0
    assert (found["sheet"], shown["read_tokens"], shown["model"]) == (None, 0, "first-stage")
    store = PageStore()
    assert store.get(page["page_id"]).text == TEXT.strip()
    store.close()


def test_plain_text_marks_the_evidence_in_its_surroundings(
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert run(["read", "sounding.md", "what", "filled", "the", "hollow", "--context", "30"]) == 0
    out, err = capfd.readouterr()
    first = out.split("\n\n2. ")[0]
    assert first.startswith("1. 0.0")
    assert "Sounding lines\n    sounding.md · " in first and " · characters " in first
    quote = first.partition("»")[2].partition("«")[0]
    assert "filled with tallow" in quote
    assert "\x1b" not in out
    assert "1 page, " in err and "(first-stage)" in err


def test_context_is_cut_between_words(capfd: pytest.CaptureFixture[str], docs: Path) -> None:
    words = " ".join(f"word{n}" for n in range(300))
    (docs / "long.txt").write_text(f"{words}\n\nThe hollow was filled with tallow.\n\n{words}")
    assert run(["read", "long.txt", "hollow tallow", "--top", "1", "--context", "40"]) == 0
    out = capfd.readouterr().out
    known = {f"word{n}" for n in range(300)}
    surroundings = re.sub(r"».*«", "", out.partition("characters")[2], flags=re.DOTALL)
    assert set(re.findall(r"[a-z]+\d*", surroundings)) <= known


def test_a_terminal_shows_colours_and_no_marks(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    assert run(["read", "sounding.md", "What filled the hollow?", "--top", "2"]) == 0
    out = capfd.readouterr().out
    assert "»" not in out and "████████" in out
    highlighted = "".join(re.findall(r"\x1b\[30;43m(.*?)\x1b\[0m", out))
    assert "was filled with tallow." in highlighted
    plain = re.sub(r"\x1b\[[\d;]*m", "", out)
    assert "\x1b" not in plain
    assert max(map(len, plain.splitlines())) <= 60
    monkeypatch.setenv("NO_COLOR", "1")
    assert run(["read", "sounding.md", "What filled the hollow?", "--top", "1"]) == 0
    assert "»" in capfd.readouterr().out


def test_nothing_from_a_page_or_a_name_reaches_the_terminal(
    docs: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = "\x1b]0;pwned\x07\x1b[2J\x9b31m\u202etallow\u202c"
    (docs / "sounding.md").write_text(f"# {hostile}\n\nThe hollow held {hostile} tallow.")
    (docs / "a\x1b[2J\u202e.md").write_text("The hollow of the lead held tallow.")
    (docs / "b\x1b[31m.bin").write_bytes(b"\0\1" * 50)
    for colour in ("", "1"):
        if colour:
            monkeypatch.setenv("FORCE_COLOR", colour)
        assert run(["read", ".", f"hollow tallow {hostile}"]) == 0
        out, err = capfd.readouterr()
        shown = re.sub(r"\x1b\[[\d;]*m", "", out) if colour else out
        assert "tallow" in shown and "left out 'b\ufffd[31m.bin'" in err
        assert safe_text(shown) == shown
        assert safe_text(err) == err


@given(st.text(st.characters(codec=None)))
def test_safe_text_keeps_places_and_leaves_nothing_to_obey(text: str) -> None:
    safe = safe_text(text)
    assert len(safe) == len(text)
    assert safe_text(safe) == safe
    assert not any(ord(c) < 32 and c not in "\n\t" for c in safe)
    assert not any(0x7F <= ord(c) < 0xA0 or 0xD800 <= ord(c) < 0xE000 for c in safe)
    assert len(safe_line(text, 20)) <= 20 and "\n" not in safe_line(text)


def test_several_questions(capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["read", "sounding.md", "filled with what?", "--also", "Which pulse?", "--top", "1"]
    assert run([*arguments, "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["questions"] == ["filled with what?", "Which pulse?"]
    tallow, pulse = shown["evidence"]
    assert "tallow" in tallow["quote"] and "pulse" in pulse["quote"]
    assert run(arguments) == 0
    assert "\n\nWhich pulse?\n\n1. " in capfd.readouterr().out


def test_a_question_that_is_no_text(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "sounding.md", "tallow \udcff?", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["questions"] == ["tallow \ufffd?"]


def test_standard_input(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    pipe(monkeypatch, b"The hollow was filled with tallow.")
    assert run(["read", "-", "filled?", "--json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["pages"][0]["title"] == "standard input"
    assert shown["evidence"][0]["quote"] == "The hollow was filled with tallow."


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<html><head><title>Lead</title></head><body><p>The hollow was filled with tallow, "
        body += b"so that the pilot knew the ground by what stuck to it.</p></body></html>"
        self.send_response(200 if self.path == "/lead" else 404)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


def test_a_web_page(capfd: pytest.CaptureFixture[str]) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        host = f"127.0.0.1:{server.server_port}"
        arguments = ["read", f"http://{host}/lead", "What filled the hollow?", "--json"]
        assert run(arguments) == 3
        assert "is not a public address" in capfd.readouterr().err
        assert run([*arguments, "--allow-host", host]) == 0
        server.shutdown()
    shown = json.loads(capfd.readouterr().out)
    assert (shown["pages"][0]["url"], shown["pages"][0]["path"]) == (f"http://{host}/lead", None)
    assert "tallow" in shown["evidence"][0]["quote"]


def test_a_folder_names_what_it_leaves_out(docs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (docs / "empty.md").write_text("")
    (docs / "other.txt").write_text("A fathom is six feet.")
    assert run(["read", ".", "How many feet is a fathom?", "--json"]) == 0
    out, err = capfd.readouterr()
    shown = json.loads(out)
    assert [page["title"] for page in shown["pages"]] == ["other.txt", "Sounding lines"]
    assert shown["evidence"][0]["title"] == "other.txt"
    assert shown["unreadable"] == [{"path": "empty.md", "reason": "is empty"}]
    assert "left out 'empty.md': is empty" in err


def pdf(*sheets: str) -> bytes:
    """A PDF with one line of text on each sheet."""
    document = pypdfium2.PdfDocument.new()
    font = pdfium.FPDFText_LoadStandardFont(document, b"Helvetica")
    for text in sheets:
        page = document.new_page(5000, 200)
        line = pdfium.FPDFPageObj_CreateTextObj(document, font, 12)
        encoded = f"{text}\0".encode("utf-16-le")
        array = (pdfium.FPDF_WCHAR * (len(encoded) // 2)).from_buffer_copy(encoded)
        pdfium.FPDFText_SetText(line, array)
        pdfium.FPDFPageObj_Transform(line, 1, 0, 0, 1, 20, 100)
        pdfium.FPDFPage_InsertObject(page, line)
        pdfium.FPDFPage_GenerateContent(page)
    file = io.BytesIO()
    document.save(file)
    document.close()
    return file.getvalue()


def test_the_pages_of_a_pdf_are_named(docs: Path, capfd: pytest.CaptureFixture[str]) -> None:
    dull = "Nothing of note was seen or heard on that day by the watch. " * 8
    (docs / "log.pdf").write_bytes(pdf(dull, "The hollow was filled with tallow.", "Calm."))
    assert run(["read", "log.pdf", "What filled the hollow?", "--top", "1"]) == 0
    assert "log.pdf · pages 2–3 · characters" in capfd.readouterr().out
    assert run(["read", "log.pdf", "What filled the hollow?", "--top", "1", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["evidence"][0]["sheet"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.md", "depth?"], 2, "there is no file or folder 'nowhere.md'"),
        (["empty.md", "depth?"], 2, "'empty.md' is empty"),
        (["binary", "depth?"], 2, "'binary' is a binary file"),
        (["bare", "depth?"], 2, "'bare' holds no files"),
        (["full", "depth?"], 2, "'full' holds no file with text (1 × is a binary file)"),
        (["sounding.md", " ? "], 2, "the question is empty"),
        (["http://127.0.0.1:9/", "depth?"], 3, "127.0.0.1 is not a public address"),
        (["sounding.md", "depth?", "--reader", "smollm2-135m"], 3, "models pull smollm2-135m"),
        (["sounding.md", "depth?", "--heatmap", "a.html"], 2, "'none' has no attention to draw"),
    ],
)
def test_what_cannot_be_read_is_one_line(
    docs: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    (docs / "empty.md").write_text("")
    (docs / "binary").write_bytes(b"\0\1" * 50)
    (docs / "bare").mkdir()
    (docs / "full").mkdir()
    (docs / "full" / "binary").write_bytes(b"\0\1" * 50)
    assert run(["read", *arguments]) == code
    out, err = capfd.readouterr()
    assert out == ""
    told = [line for line in err.splitlines() if not line.startswith("opening")]
    assert len(told) == 1 and told[0].startswith("leadline: ") and message in told[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["sounding.md"],
        ["sounding.md", "depth?", "--heatmap", "a.svg"],
        ["sounding.md", "depth?", "--also", "keel?", "--heatmap", "a.html"],
        ["sounding.md", "depth?", "--tokens", "10"],
    ],
)
def test_usage_errors(arguments: list[str]) -> None:
    assert run(["read", *arguments]) == 2


def test_nothing_found_has_its_exit_codes(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "sounding.md", "zebra", "--json"]) == 1
    assert json.loads(capfd.readouterr().out)["evidence"] == []
    assert run(["read", "sounding.md", "zebra"]) == 1
    out, err = capfd.readouterr()
    assert out == "" and "nothing in it bears on: zebra" in err
    assert run(["read", "sounding.md", "zebra", "--also", "tallow"]) == 4


def test_quiet_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "sounding.md", "tallow", "-q"]) == 0
    assert capfd.readouterr().err == ""


@pytest.mark.slow
def test_the_real_reader_finds_and_draws(
    real_models: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    docs: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    real_models("qwen2.5-coder-0.5b")
    question = "Why was the lead greased?"
    arguments = ["read", "sounding.md", question, "--reader", "qwen2.5-coder-0.5b", "--json"]
    assert run([*arguments, "--heatmap", "looked.html"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert "tallow" in shown["evidence"][0]["quote"]
    assert shown["read_tokens"] > 50
    drawn = (docs / "looked.html").read_text()
    assert question in drawn and "layer 11, head 12" in drawn
    pytest.importorskip("PIL")
    assert run([*arguments, "--heatmap", "looked.png"]) == 0
    picture = (docs / "looked.png").read_bytes()
    width, height = struct.unpack(">II", picture[16:24])
    assert picture.startswith(b"\x89PNG") and width > 1000 and height > 500
