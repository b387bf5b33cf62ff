from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from leadline.agent.events import PageRead, Warned
from leadline.agent.report import Claim, Report, render_markdown
from leadline.agent.run_store import RunStore
from leadline.budget import Usage
from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run
from leadline.evidence import Citation
from leadline.locations import locations
from leadline.tools.extraction import extract
from leadline.tools.page_store import PageStore


@pytest.fixture
def finished() -> Report:
    """A run in the store whose one claim cites a stored page."""
    body = b"# Harbour\n\nThe harbour was opened in 1902.\n"
    page = PageStore(locations().pages).put(
        body,
        url="https://example.org/h",
        final_url="https://example.org/h",
        media_type="text/markdown",
        fetched_at=datetime.now(UTC),
        extracted=extract(body, name="h.md"),
    )
    start = page.text.index("opened in 1902")
    claim = Claim(
        text="It was opened in 1902.",
        citations=(Citation.of(page.span(start, start + 14), page),),
        verdict="supported",
    )
    folder = RunStore(locations().runs).create(
        "When was it opened?", model="m", reader="r", sources=("web",)
    )
    log = folder.open_log(lambda event: None)
    log.emit(PageRead(page_id=page.page_id, url=page.url, title=page.title, characters=40))
    log.emit(Warned(message="one source was slow"))
    log.close()
    report = Report(
        run_id=folder.path.name,
        status="complete",
        question="When was it opened?",
        markdown=render_markdown([claim], status="complete"),
        claims=(claim,),
        open_questions=(),
        usage=Usage(seconds=3, pages=1),
        started_at=datetime.now(UTC),
        finished_at=datetime.now(UTC),
    )
    folder.save_report(report)
    return report


def test_no_runs_yet(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "list"]) == ExitCode.OK
    assert "No runs yet" in capsys.readouterr().out


def test_runs_are_listed(finished: Report, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "list", "--json"]) == ExitCode.OK
    [row] = json.loads(capsys.readouterr().out)
    assert row["run_id"] == finished.run_id
    assert row["status"] == "complete"
    assert run(["runs", "list"]) == ExitCode.OK
    assert finished.run_id in capsys.readouterr().out


def test_a_report_is_shown_as_it_was_printed(
    finished: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["runs", "show", finished.run_id]) == ExitCode.OK
    assert capsys.readouterr().out == finished.markdown


def test_a_citation_leads_to_its_words_in_the_page(
    finished: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["runs", "show", "last", "--json"]) == ExitCode.OK
    [claim] = json.loads(capsys.readouterr().out)["claims"]
    [citation] = claim["citations"]
    assert run(["runs", "show", "last", "--page", citation["page_id"]]) == ExitCode.OK
    text = capsys.readouterr().out
    assert text[citation["start"] : citation["end"]] == citation["quote"] == "opened in 1902"


def test_events_are_replayed(finished: Report, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "show", "last", "--jsonl"]) == ExitCode.OK
    kinds = [json.loads(line)["kind"] for line in capsys.readouterr().out.splitlines()]
    assert kinds == ["page.read", "warning"]


def test_a_report_is_shown_as_an_answer_of_a_trec_run(
    finished: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["runs", "show", "last", "--ragnarok"]) == ExitCode.OK
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {
        "run_id": "leadline",
        "topic_id": finished.run_id,
        "topic": "When was it opened?",
        "references": ["https://example.org/h"],
        "response_length": 5,
        "answer": [{"text": "It was opened in 1902.", "citations": [0]}],
    }
    assert run(["runs", "show", "last", "--ragnarok", "-o", "x.md"]) == ExitCode.USAGE


def test_a_run_that_does_not_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "show", "nothing"]) == ExitCode.FAILED
    assert "runs list" in capsys.readouterr().err


def test_a_page_that_the_run_did_not_read(
    finished: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["runs", "show", "last", "--page", "ffff"]) == ExitCode.FAILED
    assert "page_id" in capsys.readouterr().err


def test_a_run_goes_to_another_machine(
    finished: Report,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = str(tmp_path / "run.zip")
    assert run(["runs", "export", "last", file, "--json"]) == ExitCode.OK
    assert json.loads(capsys.readouterr().out)["pages"] == 1
    monkeypatch.setenv("LEADLINE_HOME", str(tmp_path / "elsewhere"))
    assert run(["runs", "import", file]) == ExitCode.OK
    assert f"{finished.run_id}: 1 pages, 1 quotes verified" in capsys.readouterr().out
    assert run(["runs", "show", "last"]) == ExitCode.OK
    assert capsys.readouterr().out == finished.markdown
    assert run(["runs", "import", file]) == ExitCode.FAILED
    assert "here already" in capsys.readouterr().err


def test_a_run_is_renamed_found_and_removed(
    finished: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["runs", "rename", "last", "Alder's harbour"]) == ExitCode.OK
    assert "Alder's harbour" in capsys.readouterr().out
    assert run(["runs", "search", "alder", "1902", "--json"]) == ExitCode.OK
    [row] = json.loads(capsys.readouterr().out)
    assert (row["run_id"], row["title"]) == (finished.run_id, "Alder's harbour")
    assert run(["runs", "search", "lighthouse"]) == ExitCode.OK
    assert "No run" in capsys.readouterr().out
    assert run(["runs", "rm", finished.run_id[-4:], "last"]) == ExitCode.OK
    assert capsys.readouterr().out == f"{finished.run_id} is removed\n"
    assert run(["runs", "rm", "last"]) == ExitCode.FAILED
    assert "no run 'last'" in capsys.readouterr().err


def test_a_report_becomes_a_file_by_its_ending(finished: Report, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    assert run(["runs", "show", "last", "-o", str(page)]) == ExitCode.OK
    assert "<mark>opened in 1902</mark>" in page.read_text()
    assert run(["runs", "show", "last", "-o", str(tmp_path / "a.doc")]) == ExitCode.USAGE
    assert run(["runs", "show", "last", "--json", "-o", str(page)]) == ExitCode.USAGE
