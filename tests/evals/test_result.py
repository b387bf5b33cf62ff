"""Results of evaluations as files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from leadline.errors import ConfigError
from leadline.evals.result import (
    FORMAT,
    DataUsed,
    EvaluationResult,
    Stopwatch,
    changed_settings,
    keep,
    measured,
    read_result,
    this_build,
    to_json,
)
from leadline.evals.rows import Row
from leadline.settings import load_settings

ROW = Row("bm25", "none", "trec", "ndcg@10", 0.5, 0.4, 0.6, 43)


def result() -> EvaluationResult:
    return measured(
        "rerank",
        data=DataUsed("/data/trec", "ab" * 32, 43),
        options={"limit": None, "methods": ("bm25",)},
        rows=[ROW],
        questions=[{"question": "Who?", "shares": {"ndcg@10": 0.5}}],
        watch=Stopwatch(),
        settings=load_settings(reading_tokens=999),
        reader="none",
    )


def test_what_is_kept_is_read_back(tmp_path: Path) -> None:
    written = result()
    path = keep(written, tmp_path / "results")
    found = read_result(path)
    assert found.rows == (ROW,)
    assert to_json(found) == to_json(written) == path.read_text()
    assert found.settings == {"limit": None, "methods": ["bm25"], "reading_tokens": 999}
    assert found.format == FORMAT
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_result_of_the_first_version_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.json"
    old = {
        "name": "rerank",
        "data": {"path": "/d", "digest": "cd" * 32, "n": 1},
        "settings": {"seed": 3},
        "machine": {"cores": 2},
        "rows": [{**json.loads(to_json(result()))["rows"][0]}],
        "seconds": 1.5,
        "peak_memory_mib": 90,
        "questions": [],
    }
    path.write_text(json.dumps(old))
    found = read_result(path)
    assert (found.format, found.leadline.version, found.model) == (1, "", "")
    assert found.started_at is None
    assert found.rows == (ROW,)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "holds no result of an evaluation"),
        ('{"name": 3}', r"\(name: "),
        (None, "cannot read"),
        ("later", f"has version {FORMAT + 1} of the format"),
    ],
)
def test_what_is_no_result_is_named(content: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    if content == "later":
        content = to_json(result()).replace(f'"format": {FORMAT}', f'"format": {FORMAT + 1}')
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigError, match=words):
        read_result(path)


def test_settings_at_their_defaults_and_secrets_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert changed_settings(load_settings()) == {}
    monkeypatch.setenv("LEADLINE_ENDPOINT_KEY", "sesame")
    assert changed_settings(load_settings(seconds=9)) == {"seconds": 9.0}


def test_the_commit_of_a_checkout_is_known() -> None:
    build = this_build()
    assert re.fullmatch(r"([0-9a-f]{40}(-dirty)?)?", build.commit)
    assert build.version
