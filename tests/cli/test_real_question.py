"""The whole line with real models on a real corpus."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from leadline.cli.demo import write_language_reference
from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run

pytestmark = pytest.mark.slow


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    return write_language_reference(tmp_path / "reference")


@pytest.mark.parametrize("reader", ["qwen2.5-coder-0.5b", "none"])
def test_a_question_is_answered_and_every_citation_resolves(
    reader: str,
    reference: Path,
    real_models: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    real_models("qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b", "all-minilm-l6-v2")
    question = "In a try statement, when is the else clause executed?"
    status = run([question, "--corpus", str(reference), "--reader", reader, "--json"])
    report = json.loads(capsys.readouterr().out)
    assert status in (ExitCode.OK, ExitCode.PARTIAL)
    assert "exception" in " ".join(claim["text"] for claim in report["claims"])
    citations = [citation for claim in report["claims"] for citation in claim["citations"]]
    # The reference has this section twice, as "compound" and as "try".
    sources = {
        citation["url"].rpartition("/")[2]
        for citation in citations
        if '"else" clause is executed if the control flow leaves' in citation["quote"]
    }
    assert sources
    assert sources <= {"compound.rst", "try.rst"}
    for citation in citations:
        assert run(["runs", "show", "last", "--page", citation["page_id"]]) == ExitCode.OK
        text = capsys.readouterr().out
        assert text[citation["start"] : citation["end"]] == citation["quote"]


def test_a_budget_is_kept(
    reference: Path,
    real_models: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real_models("qwen2.5-coder-1.5b")
    monkeypatch.setenv("LEADLINE_EMBEDDER", "none")
    arguments = ["--corpus", str(reference), "--reader", "none", "--seconds", "3", "--json"]
    status = run(["What is a metaclass, and how does it differ from a class?", *arguments])
    report = json.loads(capsys.readouterr().out)
    assert status == ExitCode.PARTIAL
    assert report["status"] == "budget_exhausted"
    assert report["open_questions"]
    assert report["usage"]["seconds"] < 3 + 2


def test_the_smallest_model_may_fail_but_never_crashes(
    reference: Path,
    real_models: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real_models("smollm2-135m")
    monkeypatch.setenv("LEADLINE_EMBEDDER", "none")
    arguments = ["--corpus", str(reference), "--model", "smollm2-135m", "--reader", "none"]
    status = run(["What is a metaclass?", *arguments, "--json"])
    assert status in (ExitCode.OK, ExitCode.FAILED, ExitCode.PARTIAL)
    assert json.loads(capsys.readouterr().out)["status"] in ("complete", "failed", "partial")
