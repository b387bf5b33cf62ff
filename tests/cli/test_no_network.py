"""A question to the web with a model but no network."""

from __future__ import annotations

import json

import pytest

from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run

from .conftest import Endpoint


def test_every_search_backend_is_down(
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LEADLINE_SEARCH_BACKENDS", '["searxng"]')
    monkeypatch.setenv("LEADLINE_SEARXNG_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("LEADLINE_ALLOW_HOSTS", '["127.0.0.1:9"]')
    assert (
        run(["What is the default port of PostgreSQL?", "--json", "--quiet"])
        == ExitCode.UNAVAILABLE
    )
    captured = capsys.readouterr()
    report = json.loads(captured.out)
    assert report["status"] == "failed"
    [problem] = report["errors"]
    assert problem["kind"] == "SearchError"
    assert "127.0.0.1:9" in problem["message"]
    assert "127.0.0.1:9" in captured.err
    assert "What failed" in report["markdown"]
