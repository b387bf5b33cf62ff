"""``leadline eval run widesearch`` on two small tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run

RULES = {
    "name": {"preprocess": ["norm_str"], "metric": ["exact_match"]},
    "sea": {"preprocess": ["norm_str"], "metric": ["llm_judge"], "criterion": "alike"},
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "widesearch"
    (folder / "widesearch_gold").mkdir(parents=True)
    evaluation = {"unique_columns": ["name"], "required": ["name", "sea"], "eval_pipeline": RULES}
    lines = []
    for name, language in (("ws_en_1", "en"), ("ws_zh_1", "zh")):
        lines.append(
            json.dumps(
                {
                    "instance_id": name,
                    "query": "Which rivers?",
                    "evaluation": json.dumps(evaluation),
                    "language": language,
                }
            )
        )
        gold = folder / "widesearch_gold" / f"{name}.csv"
        gold.write_text("Name,Sea\nElbe,North Sea\nOder,Baltic Sea\n")
    (folder / "widesearch.jsonl").write_text("\n".join([*lines, "{broken"]))
    return folder


def responses(tmp_path: Path, *found: tuple[str, int, str]) -> Path:
    path = tmp_path / "responses.jsonl"
    path.write_text(
        "\n".join(
            json.dumps({"instance_id": name, "trial_idx": trial, "response": text})
            for name, trial, text in found
        )
    )
    return path


TABLE = "```markdown\n| Name | Sea |\n|---|---|\n| Elbe | North Sea |\n| Oder | Baltic Sea |\n```"


def test_responses_are_scored_over_trials(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = TABLE.replace("Baltic", "Black")
    path = responses(
        tmp_path, ("ws_en_1", 0, TABLE), ("ws_en_1", 1, half), ("ws_zh_1", 0, half), ("x", 0, "")
    )
    arguments = ["eval", "run", "widesearch", "--data", str(data), "--responses", str(path)]
    assert run([*arguments, "--json"]) == ExitCode.OK
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    values = {(row["set"], row["metric"]): row["value"] for row in result["rows"]}
    assert values["all", "success_rate Pass@2"] == 0.5
    assert values["en", "row_f1 Avg@2"] == pytest.approx(0.75)
    assert values["zh", "item_f1 Max@2"] == pytest.approx(0.75)
    assert values["zh", "item_f1 Avg@2"] == pytest.approx(0.375)
    assert "widesearch.jsonl, line 3" in captured.err
    assert "there is no task 'x'" in captured.err
    assert "ws_zh_1, trial 1: there is no response" in captured.err


def test_official_and_corrected_differ(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    doubled = TABLE.replace("| Oder |", "| ELBE* | North Sea |\n| Oder |")
    path = responses(tmp_path, ("ws_en_1", 0, doubled))
    values = []
    for flags in ([], ["--official"]):
        arguments = ["--data", str(data), "--responses", str(path), "--limit", "1", "--json"]
        assert run(["eval", "run", "widesearch", *arguments, *flags]) == ExitCode.OK
        rows = json.loads(capsys.readouterr().out)["rows"]
        values += [row["value"] for row in rows if row["metric"] == "row_f1 Avg@1"][:1]
    assert values == [1.0, pytest.approx(1.2)]


def test_no_response_at_all(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "responses.jsonl"
    path.write_text("[]\n")
    arguments = ["--data", str(data), "--responses", str(path)]
    assert run(["eval", "run", "widesearch", *arguments]) == ExitCode.USAGE
    assert "there is no response to score" in capsys.readouterr().err
