"""``leadline bench``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run
from leadline.errors import LeadlineError
from leadline.kernels.library import load_library


def test_kernels_in_json_and_as_a_picture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        load_library()
    except LeadlineError as error:
        pytest.skip(str(error))
    pytest.importorskip("matplotlib")
    picture = tmp_path / "kernels.png"
    arguments = ["bench", "kernels", "--rounds", "1", "--max-window", "512", "--json"]
    assert run([*arguments, "--plot", str(picture)]) == ExitCode.OK
    result = json.loads(capsys.readouterr().out)
    assert {"name", "data", "settings", "machine", "rows", "seconds"} <= result.keys()
    assert result["name"] == "kernels"
    row = {"method", "model", "set", "metric", "value", "low", "high", "n"}
    assert all(row == set(found) for found in result["rows"])
    assert "prefill, 512 tokens" in {found["set"] for found in result["rows"]}
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_plot_without_matplotlib_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert run(["bench", "kernels", "--plot", str(tmp_path / "x.png")]) == ExitCode.USAGE
    assert "leadline[plot]" in capsys.readouterr().err


@pytest.mark.slow
def test_decoding_is_measured(capsys: pytest.CaptureFixture[str], real_models: object) -> None:
    assert callable(real_models)
    real_models("smollm2-135m")
    arguments = ["--model", "smollm2-135m", "--tokens", "4", "--rounds", "1", "--json"]
    assert run(["bench", "decoding", *arguments]) == ExitCode.OK
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert {row["metric"] for row in rows} == {"tokens a second", "times one searcher"}
    assert {row["method"] for row in rows} == {
        "1 searcher",
        "2 searchers",
        "4 searchers",
        "8 searchers",
    }
    assert all(row["value"] > 0 for row in rows)


@pytest.mark.slow
def test_reading_is_measured(capsys: pytest.CaptureFixture[str], real_models: object) -> None:
    assert callable(real_models)
    real_models("qwen2.5-coder-0.5b")
    arguments = ["--tokens", "1024", "--cached", "1024", "--rounds", "1", "--json"]
    assert run(["bench", "reader", *arguments]) == ExitCode.OK
    rows = json.loads(capsys.readouterr().out)["rows"]
    metrics = {row["metric"] for row in rows}
    assert {"tokens a second", "s"} <= metrics
