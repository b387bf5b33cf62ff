from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadline.errors import ConfigError
from leadline.evals.widesearch.aggregation import TrialScore, aggregate
from leadline.evals.widesearch.responses import load_responses
from leadline.evals.widesearch.scoring import Score
from leadline.evals.widesearch.tasks import load_tasks

RULE = {"preprocess": ["norm_str"], "metric": ["exact_match"]}


def record(instance_id: str, **changes: object) -> dict[str, object]:
    evaluation = {"unique_columns": ["国家"], "required": ["国家"], "eval_pipeline": {"国家": RULE}}
    return {
        "instance_id": instance_id,
        "query": "Which?",
        "evaluation": json.dumps(evaluation | changes),
        "language": "zh",
    }


def folder_with(tmp_path: Path, *lines: str) -> Path:
    (tmp_path / "widesearch.jsonl").write_text("\n".join(lines))
    gold = tmp_path / "widesearch_gold"
    gold.mkdir()
    (gold / "ws_1.csv").write_text("\ufeff国家\n法国\n")
    return tmp_path


def test_bad_lines_are_named_and_the_rest_is_loaded(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path,
        json.dumps(record("ws_1")),
        "{not json",
        "",
        json.dumps(record("ws_1")),
        json.dumps(record("ws_2", required=["年份"])),
        json.dumps(record("ws_3", eval_pipeline={"国家": {"metric": ["guess"]}})),
        json.dumps(record("../../etc/passwd")),
        json.dumps(record("ws_4")),
    )
    loaded = load_tasks(folder)
    assert [task.instance_id for task in loaded.tasks] == ["ws_1", "ws_4"]
    assert loaded.gold == {"ws_1": "国家\n法国\n"}
    lines = [problem.split(": ")[0] for problem in loaded.problems]
    assert lines[:5] == [f"widesearch.jsonl, line {n}" for n in (2, 4, 5, 6, 7)]
    assert "ws_4 has no gold table" in loaded.problems[5]
    assert "'ws_1' was there before" in loaded.problems[1]
    assert "unique_columns are not among the required" in loaded.problems[2]
    assert load_tasks(folder / "widesearch.jsonl", gold=False).gold == {}


def test_a_file_without_any_task(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text("[]\n")
    with pytest.raises(ConfigError, match="holds no task"):
        load_tasks(path)
    with pytest.raises(ConfigError, match="cannot read"):
        load_tasks(tmp_path / "none.jsonl")


def test_the_same_evaluation_as_an_object_is_taken_too(tmp_path: Path) -> None:
    plain = record("ws_1")
    plain["evaluation"] = json.loads(str(plain["evaluation"]))
    path = tmp_path / "tasks.jsonl"
    path.write_text(json.dumps(plain))
    assert load_tasks(path, gold=False).tasks[0].evaluation.required == ("国家",)


def test_responses(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    lines = [
        {"instance_id": "a", "response": "x", "messages": [{"role": "user"}], "trial_idx": 1},
        {"instance_id": "a", "response": "y", "trial_idx": 1},
        {"instance_id": "b"},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    loaded = load_responses([path])
    assert [(r.instance_id, r.response, r.trial_idx) for r in loaded.responses] == [("a", "x", 1)]
    assert "line 2: trial 1 of 'a' was there before" in loaded.problems[0]
    assert "line 3: response" in loaded.problems[1]


def test_figures_over_trials() -> None:
    def trial(name: str, number: int, f1: float) -> TrialScore:
        return TrialScore(name, "en", number, Score(success_rate=float(f1 == 1), row_f1=f1))

    scores = [trial("a", 0, 1.0), trial("a", 1, 0.5), trial("b", 0, 0.2)]
    values = {f.name: f.value for f in aggregate(scores, trials=2) if f.scope == "all"}
    assert values["row_f1 Avg@2"] == pytest.approx((0.75 + 0.1) / 2)
    assert values["row_f1 Max@2"] == pytest.approx(0.6)
    assert values["row_f1 Min@2"] == pytest.approx(0.25)
    assert values["success_rate Pass@2"] == 0.5
    assert not any(f.scope == "zh" for f in aggregate(scores, trials=2))
    official = {
        f.name: f.value for f in aggregate(scores, trials=2, official=True) if f.scope == "all"
    }
    assert official["row_f1 Avg@2"] == pytest.approx(1.7 / 3)
    assert official["row_f1 Max@2"] == 1.0
    with pytest.raises(ValueError, match="not one of 1"):
        aggregate(scores, trials=1)
