from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from leadline.cli.main import run
from leadline.settings import load_settings


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_setting_is_set_shown_and_taken_back(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "set", "model", "qwen2.5-coder-0.5b"]) == 0
    assert load_settings().model == "qwen2.5-coder-0.5b"
    capsys.readouterr()
    assert run(["config", "show", "model", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["model"]
    assert run(["config", "path"]) == 0
    path = capsys.readouterr().out.strip()
    assert (shown["value"], shown["origin"]) == ("qwen2.5-coder-0.5b", path)
    assert run(["config", "unset", "model"]) == 0
    assert load_settings().model == "qwen2.5-coder-1.5b"


def test_everything_is_shown_with_its_place(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_READER", "none")
    assert run(["config", "show"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["reader"].split() == ["reader", "none", "LEADLINE_READER"]
    assert lines["model"].split()[-1] == "default"


def test_a_secret_comes_from_standard_input_and_is_never_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("s3cret\n"))
    assert run(["config", "set", "endpoint_key"]) == 0
    assert run(["config", "show", "--json"]) == 0
    told = capsys.readouterr()
    assert "s3cret" not in told.out + told.err
    key = load_settings().endpoint_key
    assert key is not None
    assert key.get_secret_value() == "s3cret"


def test_who_sets_a_value_that_another_place_overrides_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_MODEL", "other")
    assert run(["config", "set", "model", "mine"]) == 0
    assert "LEADLINE_MODEL sets it too, and wins" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "modle"], "did you mean 'model'?"),
        (["set", "readers", "none"], "did you mean 'reader'?"),
        (["set", "seconds", "soon"], "'seconds' cannot be set so"),
        (["set", "model"], "give a value"),
    ],
)
def test_what_cannot_be_set_is_said(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["config", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_schema_refuses_other_keys(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["additionalProperties"] is False
    assert schema["properties"]["model"]["description"].startswith("Plans and writes")
