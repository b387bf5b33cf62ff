"""``leadline eval`` on small data sets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadline import __version__
from leadline.agent.report import Claim
from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run
from leadline.evals.result import read_result
from leadline.locations import locations

from ..evals.tiny_data import (
    write_babi,
    write_financebench,
    write_multihop,
    write_trec,
    write_wikitables,
    write_xquad,
)
from ..kept_runs import cite, keep_page, keep_run
from .conftest import Endpoint


def test_every_evaluation_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", "list"]) == ExitCode.OK
    listed = capsys.readouterr().out
    assert run(["eval", "run", "--help"]) == ExitCode.OK
    helped = capsys.readouterr().out
    for name in ("multihop", "rerank", "needle", "filings", "published", "sqlite-docs"):
        assert name in listed
        assert f"\n  {name} " in helped


def test_multihop_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_multihop(tmp_path / "multihop")
    arguments = ["--data", str(folder), "--methods", "bm25", "--limit", "1", "--json"]
    assert run(["eval", "run", "multihop", *arguments]) == ExitCode.OK
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert result["name"] == "multihop"
    assert result["data"]["path"] == str(folder)
    assert len(result["data"]["digest"]) == 64
    assert result["data"]["n"] == 4
    assert (result["settings"]["part"], result["settings"]["methods"]) == ("held-out", ["bm25"])
    assert {"machine", "seconds", "questions"} <= result.keys()
    assert (result["format"], result["leadline"]["version"]) == (2, __version__)
    assert (result["model"], result["reader"], result["resumed"]) == ("", "", 0)
    assert result["started_at"] <= result["finished_at"]
    [row] = [r for r in result["rows"] if (r["set"], r["metric"]) == ("musique-pool", "recall@2")]
    assert row.keys() == {"method", "model", "set", "metric", "value", "low", "high", "n"}
    assert (row["method"], row["model"], row["value"], row["n"]) == ("bm25", "none", 0.5, 1)
    assert "multihop, bm25: 4/4 questions" in captured.err
    assert list((locations().cache / "evals").iterdir()) == []


def test_every_result_is_kept_as_it_is_printed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_trec(tmp_path / "trec")
    arguments = ["eval", "run", "rerank", "--data", str(folder), "--methods", "bm25", "--json"]
    assert run(arguments) == ExitCode.OK
    printed = capsys.readouterr()
    [kept] = locations().evaluations.iterdir()
    assert kept.read_text() == printed.out
    assert f"kept as {kept}" in printed.err
    elsewhere = tmp_path / "results"
    assert run([*arguments, "-o", str(elsewhere)]) == ExitCode.OK
    assert len(list(elsewhere.glob("rerank-*.json"))) == 1
    assert len(list(locations().evaluations.iterdir())) == 1


def test_results_become_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "report.html"
    assert run(["eval", "report", "-o", str(page)]) == ExitCode.USAGE
    assert "holds no result of an evaluation" in capsys.readouterr().err
    folder = write_trec(tmp_path / "trec")
    for _ in range(2):
        arguments = ["eval", "run", "rerank", "--data", str(folder), "--methods", "bm25"]
        assert run([*arguments, "-o", str(tmp_path / "results")]) == ExitCode.OK
    assert run(["eval", "report", str(tmp_path / "results"), "-o", str(page)]) == ExitCode.OK
    assert "2 results in" in capsys.readouterr().err
    assert "Result 2 beside result 1" in page.read_text()


def test_rankings_and_answers_for_other_tools(
    tmp_path: Path, endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, runs = write_multihop(tmp_path / "multihop"), tmp_path / "for-others"
    arguments = ["--data", str(folder), "--limit", "1", "--json"]
    reading = ["--methods", "bm25", "--sets", "musique-pool", "--trec-runs", str(runs)]
    assert run(["eval", "run", "multihop", *arguments, *reading]) == ExitCode.OK
    captured = capsys.readouterr()
    assert "2 files in" in captured.err
    assert '"ranking":' not in captured.out
    chunk = {"delta": {"content": '{"answer": "oaken"}'}, "finish_reason": "stop"}
    endpoint.body = f"data: {json.dumps({'choices': [chunk]})}\n\ndata: [DONE]\n\n"
    answering = ["--methods", "closed-book", "--sets", "musique", "--ragnarok", str(runs)]
    assert run(["eval", "run", "hop", *arguments, *answering]) == ExitCode.OK
    [question] = json.loads(capsys.readouterr().out)["questions"]
    assert question["answer"]["answer"] == [{"text": "oaken", "citations": []}]
    assert {path.name for path in runs.iterdir()} == {
        "musique-pool.bm25.run",
        "musique-pool.qrels",
        "musique.closed-book.jsonl",
    }
    assert json.loads((runs / "musique.closed-book.jsonl").read_text()) == question["answer"]


def test_citations_of_kept_runs(
    tmp_path: Path, endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", "run", "citations", "--json"]
    assert run(command) == ExitCode.USAGE
    assert "no finished run in" in capsys.readouterr().err
    page = keep_page("https://example.org/h", "The harbour was opened in 1902.")
    claim = Claim(text="It was opened in 1902.", citations=(cite(page, "was opened in 1902"),))
    kept = keep_run("When was it opened?", claim)
    keep_run("Never finished?", status=None)
    chunk = {"delta": {"content": "no"}, "finish_reason": "stop"}
    endpoint.body = f"data: {json.dumps({'choices': [chunk]})}\n\ndata: [DONE]\n\n"
    assert run([*command, "--judge", "m"]) == ExitCode.OK
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert (result["data"]["n"], len(result["data"]["digest"])) == (1, 64)
    recalled = {
        row["method"]: row["value"] for row in result["rows"] if row["metric"] == "citation recall"
    }
    assert recalled == {"words": 1.0, "judged by m": 0.0}
    assert "m wrote 1 of the 1 reports that it is to judge" in captured.err
    elsewhere = ["--runs", str(kept.path.parent), kept.path.name]
    assert run([*command, *elsewhere]) == ExitCode.OK


def test_only_settings_that_were_changed_are_told_and_no_secret(
    tmp_path: Path, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_ENDPOINT_KEY", "sesame")
    folder = write_multihop(tmp_path / "multihop")
    chunk = {"delta": {"content": '{"answer": "oaken"}'}, "finish_reason": "stop"}
    endpoint.body = f"data: {json.dumps({'choices': [chunk]})}\n\ndata: [DONE]\n\n"
    arguments = ["eval", "run", "hop", "--data", str(folder), "--limit", "1"]
    assert run([*arguments, "--methods", "closed-book"]) == ExitCode.OK
    [kept] = locations().evaluations.iterdir()
    result = read_result(kept)
    assert (result.model, result.reader) == ("served", "none")
    assert result.settings["endpoint"] == endpoint.url
    assert "reading_tokens" not in result.settings
    assert "endpoint_key" not in result.settings and "sesame" not in kept.read_text()


def test_rerank_as_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_trec(tmp_path / "trec")
    assert run(["eval", "run", "rerank", "--data", str(folder), "--methods", "bm25"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    [best] = [line for line in lines if line[1:3] == ["best", "possible"]]
    [bm25] = [line for line in lines if line[1:3] == ["bm25", "ndcg@10"]]
    assert best[4] == bm25[3]


def test_needle_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_wikitables(tmp_path / "wikitables")
    write_xquad(tmp_path / "xquad")
    write_babi(tmp_path / "babi")
    arguments = ["--tokens", "900,1800", "--needles", "1", "--methods", "bm25,reader", "--json"]
    arguments += ["--reader", "none", "--data", str(tmp_path)]
    assert run(["eval", "run", "needle", *arguments]) == ExitCode.OK
    result = json.loads(capsys.readouterr().out)
    values = {(row["set"], row["method"]): row["value"] for row in result["rows"][::-1]}
    assert values["xquad", "bm25"] == values["xquad", "reader"] == 1.0
    assert set(result["settings"]["haystacks"]) == {"900", "1800"}
    assert result["data"]["n"] == 2 * (5 + 3)


def test_filings_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_financebench(tmp_path)
    arguments = ["--data", str(folder), "--methods", "bm25", "--json"]
    assert run(["eval", "run", "filings", *arguments]) == ExitCode.OK
    result = json.loads(capsys.readouterr().out)
    assert {row["metric"] for row in result["rows"]} >= {"gold sheet@1", "gold sheet@10"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["nothing"],
            "multihop, rerank, session, needle, filings, published, hop, citations, tables, widesearch, extraction, source-choice, sqlite-docs",
        ),
        (["multihop", "--methods", "bm26"], "no reading method is called 'bm26'"),
        (["multihop", "--methods", ","], "no method is named"),
        (["multihop", "--sets", "2wiki"], "no set is called '2wiki'"),
        (["multihop", "--methods", "bm25"], "musique_train.json"),
        (["rerank", "--methods", "bm25"], "qrels.txt"),
        (["session", "--methods", "bm25"], "sessions.jsonl"),
        (["needle", "--methods", "bm25"], "xquad.en.json"),
        (["needle", "--tokens", "many"], "no list of numbers"),
        (["filings", "--methods", "bm25"], "questions.jsonl"),
    ],
)
def test_what_cannot_be_measured_says_why(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if arguments != ["nothing"]:
        arguments = [*arguments, "--data", str(tmp_path)]
    assert run(["eval", "run", *arguments]) == ExitCode.USAGE
    assert words in capsys.readouterr().err


def test_an_interrupted_run_is_taken_up_or_forgotten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_trec(tmp_path / "trec")
    # The second method's model is not here: what the first one found is kept.
    command = ["eval", "run", "rerank", "--data", str(folder), "--methods", "bm25,minilm"]
    assert run(command) == ExitCode.UNAVAILABLE
    assert "models pull all-minilm-l6-v2" in capsys.readouterr().err
    assert run(command) == ExitCode.UNAVAILABLE
    assert "2 answers were measured before" in capsys.readouterr().err
    assert run([*command, "--fresh"]) == ExitCode.UNAVAILABLE
    assert "before" not in capsys.readouterr().err


def test_hop_as_json_and_resumed(
    tmp_path: Path, endpoint: Endpoint, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_multihop(tmp_path / "multihop")
    chunk = {"delta": {"content": '{"answer": "oaken"}'}, "finish_reason": "stop"}
    endpoint.body = f"data: {json.dumps({'choices': [chunk]})}\n\ndata: [DONE]\n\n"
    arguments = ["eval", "run", "hop", "--data", str(folder), "--json"]
    arguments += ["--methods", "closed-book,one-shot", "--limit", "1"]
    assert run(arguments) == ExitCode.OK
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    values = {(row["set"], row["method"], row["metric"]): row["value"] for row in result["rows"]}
    assert values["musique", "closed-book", "exact match"] == 1.0
    assert values["hotpotqa", "closed-book", "F1"] == 0.0
    assert values["musique", "one-shot", "evidence recall"] >= 0.5
    assert {row["model"] for row in result["rows"]} == {"served"}
    assert result["data"]["n"] == 2
    assert "hop, one-shot: 2/2 questions" in captured.err
