from __future__ import annotations

import json

import pytest

from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run


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
