"""``leadline table`` and ``leadline batch`` over a folder, with an endpoint that plans nothing."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run

from .conftest import Endpoint

PAGE = """<html><head><title>Rivers of Alderland</title></head><body><h1>Rivers of Alderland</h1>
<p>All of them.</p><table><tr><th>River</th><th>Length</th></tr><tr><td>Elm</td><td>10 km</td></tr>
<tr><td>Oak</td><td>20 km</td></tr></table></body></html>"""


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "rivers.html").write_text(PAGE)
    return folder


@pytest.fixture
def planless(endpoint: Endpoint) -> Endpoint:
    """An endpoint whose every answer fits no schema."""
    chunk = {"choices": [{"index": 0, "delta": {"content": "[]"}, "finish_reason": "stop"}]}
    endpoint.body = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n"
    endpoint.headers = {"Content_Type": "text/event-stream"}
    return endpoint


QUERY = ["Rivers of Alderland", "--columns", "River,Length", "--keys", "River"]


def test_a_table_is_written_in_the_format_of_the_files_name(
    documents: Path, planless: Endpoint, tmp_path: Path
) -> None:
    output = tmp_path / "rivers.csv"
    status = run(["table", *QUERY, "--corpus", str(documents), "-q", "-o", str(output)])
    assert status == ExitCode.OK
    with output.open(newline="") as file:
        assert list(csv.reader(file)) == [["River", "Length"], ["Elm", "10 km"], ["Oak", "20 km"]]


def test_a_table_as_markdown_and_as_json(
    documents: Path, planless: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["table", *QUERY, "--corpus", str(documents)]) == ExitCode.OK
    captured = capsys.readouterr()
    assert captured.out.startswith("```markdown\n| River | Length |\n")
    assert "2 rows in “Rivers of Alderland”" in captured.err
    assert "4 of 4 cells filled" in captured.err
    assert run(["table", *QUERY, "--corpus", str(documents), "--json", "-q"]) == ExitCode.OK
    report = json.loads(capsys.readouterr().out)
    cell = report["table"]["rows"][0]["Length"]
    assert cell["normalised"] == "10"
    assert cell["citations"][0]["quote"] == "10 km"
    assert run(["runs", "show", "last"]) == ExitCode.OK
    assert "| Oak | 20 km |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-o", "x.doc"], "its ending is none of"),
        (["-o", "x.csv", "--json"], "leave out --json"),
        (["--no-web"], "--no-web leaves nothing"),
        (["--web", "--no-web"], "exclude each other"),
    ],
)
def test_what_cannot_be_asked(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["table", "Rivers?", *arguments]) == ExitCode.USAGE
    assert words in capsys.readouterr().err


def test_a_key_that_is_no_column(
    documents: Path, planless: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--columns", "River", "--keys", "Sea", "--corpus", str(documents)]
    assert run(["table", "Rivers?", *arguments]) == ExitCode.USAGE
    assert "key 'Sea' is no column" in capsys.readouterr().err


def test_a_batch_goes_through_and_says_what_it_cannot_use(
    documents: Path, planless: Endpoint, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks, output = tmp_path / "tasks.jsonl", tmp_path / "out.jsonl"
    task = {"instance_id": "a", "query": QUERY[0], "columns": ["River", "Length"]}
    tasks.write_text(json.dumps(task) + "\n{broken\n")
    arguments = ["batch", str(tasks), "-o", str(output), "--corpus", str(documents)]
    assert run(arguments) == ExitCode.PARTIAL
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "tasks.jsonl, line 2" in captured.err
    assert "1/1  a, trial 0: complete" in captured.err
    [line] = output.read_text().splitlines()
    assert "| Elm | 10 km |" in json.loads(line)["response"]
    assert run(arguments) == ExitCode.PARTIAL
    assert "1/1  a" not in capsys.readouterr().err
    assert len(output.read_text().splitlines()) == 1
