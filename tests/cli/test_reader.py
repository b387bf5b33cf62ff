"""``leadline reader``, through the command line's own entry."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from leadline.cli.main import run
from leadline.runtime.heads import HeadTable, find_head_table, shipped_head_tables

from ..runtime.tiny_models import make_model, write_folder, write_gguf
from .conftest import Endpoint

QUESTIONS = [
    {
        "question": "What is tallow for?",
        "context": [
            ["Lead", ["It has a hollow.", " Tallow fills it."]],
            ["Bread", ["It rises."]],
            ["Ships", ["They sail."]],
        ],
        "supporting_facts": [["Lead", 1]],
    }
] * 3


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(write_gguf(make_model("qwen2", context=4096), tmp_path / "tiny.gguf"))


def printed(capsys: pytest.CaptureFixture[str]) -> tuple[HeadTable, str | None]:
    result = json.loads(capsys.readouterr().out)
    path = result.pop("path")
    return HeadTable.model_validate(result), path


def test_without_data_heads_are_found_by_repeats_and_kept(
    model: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--questions", "2", "--heads", "3", "--json"]
    assert run(["reader", "calibrate", model, *arguments]) == 0
    table, path = printed(capsys)
    assert (table.method, table.model_id, len(table.heads)) == ("repeats", model, 3)
    assert table.calibrated_on[0].questions == 2
    assert path == str(home / "state" / "heads" / f"{table.gguf_sha256}.json")
    assert find_head_table(table.gguf_sha256) == table

    assert run(["reader", "heads", model, "--json"]) == 0
    assert printed(capsys) == (table, path)
    assert run(["reader", "heads", model]) == 0
    out, err = capsys.readouterr()
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [
        [str(head.layer), str(head.head)] for head in table.heads
    ]
    assert "random token sequences" in err and path in err


def test_a_hugging_face_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(make_model("qwen2", context=1024), tmp_path / "tiny")
    assert run(["reader", "calibrate", str(folder), "--questions", "1", "--json"]) == 0
    calibrated = printed(capsys)
    assert run(["reader", "heads", str(folder), "--json"]) == 0
    assert printed(capsys) == calibrated


def test_by_copying_up_to_a_layer(model: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--method", "copy", "--questions", "1", "--layers", "0", "--json"]
    assert run(["reader", "calibrate", model, *arguments]) == 0
    table, _ = printed(capsys)
    assert table.method == "copy"
    assert {head.layer for head in table.heads} == {0}


def test_by_contrast_on_files(
    model: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [tmp_path / "one.json", tmp_path / "two.json"]
    for path in paths:
        path.write_text(json.dumps(QUESTIONS))
    data = [argument for path in paths for argument in ("--data", str(path))]
    assert run(["reader", "calibrate", model, *data, "--questions", "2", "--json"]) == 0
    table, _ = printed(capsys)
    assert table.method == "contrast"
    assert [(d.name, d.questions, d.passages) for d in table.calibrated_on] == [
        ("one.json", 2, 6),
        ("two.json", 2, 6),
    ]
    assert run(["reader", "calibrate", model, "--data", str(paths[0])]) == 0
    err = capsys.readouterr().err
    assert "has 3 questions, fewer than 50" in err and "chosen by chance" in err


def test_by_contrast_on_a_corpus(
    model: str, tmp_path: Path, endpoint: Endpoint, capfd: pytest.CaptureFixture[str]
) -> None:
    documents = tmp_path / "documents"
    documents.mkdir()
    for subject in ("tallow", "yeast", "granite"):
        text = f"Of {subject} much is known, and sailors know some of it. " * 4
        (documents / f"{subject}.txt").write_text(text)
    assert run(["corpus", "add", "sea", str(documents), "--no-embeddings"]) == 0
    capfd.readouterr()
    content = json.dumps({"question": "Which sailors have heard of granite or yeast?"})
    chunk = {"choices": [{"delta": {"content": content}, "finish_reason": "stop"}]}
    endpoint.body = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n"
    arguments = ["--corpus", "sea", "--questions", "2", "--json"]
    assert run(["reader", "calibrate", model, *arguments]) == 0
    out, err = capfd.readouterr()
    table = json.loads(out)
    assert table["method"] == "contrast"
    assert table["calibrated_on"][0] | {"sha256": ""} == {
        "name": "questions written for the corpus sea",
        "sha256": "",
        "questions": 1,
        "passages": 3,
    }
    assert "1 sound questions were written, fewer than 2" in err


def test_the_heads_of_a_catalogue_model_that_is_not_here(
    capsys: pytest.CaptureFixture[str],
) -> None:
    [shipped, *_] = shipped_head_tables()
    assert run(["reader", "heads", shipped.model_id, "--json"]) == 0
    assert printed(capsys) == (shipped, None)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["calibrate", "MODEL", "--method", "contrast"], 2, "needs --data or --corpus"),
        (["calibrate", "MODEL", "--method", "copy", "--corpus", "sea"], 2, "makes its own texts"),
        (["calibrate", "MODEL", "--layers", "3"], 2, "has 3 layers, the last is 2, not 3"),
        (["calibrate", "MODEL", "--corpus", "sea"], 2, "there is no corpus 'sea'"),
        (["calibrate", "qwen2.5-coder-0.5b"], 3, "is not on this machine"),
        (["calibrate", "qwen2.5-coder-0.5"], 2, "did you mean"),
        (["heads", "MODEL"], 1, "no head table for the model"),
        (["heads", "nowhere.gguf"], 2, "cannot read the model"),
    ],
)
def test_errors_are_told_and_nothing_is_kept(
    model: str,
    home: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    status: int,
    words: str,
) -> None:
    monkeypatch.setenv("LEADLINE_EMBEDDER", "none")
    assert run(["reader", *(model if a == "MODEL" else a for a in arguments)]) == status
    out, err = capsys.readouterr()
    assert out == "" and words in err
    assert not (home / "state" / "heads").exists()


@pytest.mark.slow
def test_repeats_find_most_of_the_heads_that_questions_find(
    real_models: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    real_models("qwen2.5-coder-0.5b")
    assert run(["reader", "heads", "qwen2.5-coder-0.5b", "--json"]) == 0
    shipped, _ = printed(capsys)
    arguments = ["--method", "repeats", "--questions", "2", "--json"]
    assert run(["reader", "calibrate", "qwen2.5-coder-0.5b", *arguments]) == 0
    found, _ = printed(capsys)
    assert len(set(found.decoder_heads) & set(shipped.decoder_heads)) >= 5
