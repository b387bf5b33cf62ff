"""Questions out of HotpotQA's and MuSiQue's layouts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from leadline.errors import InputError
from leadline.runtime.question_files import describe_file, read_question_file

HOTPOT = {
    "question": "What is tallow for?",
    "context": [["Lead", ["It has a hollow.", " Tallow fills it."]], ["Bread", ["It rises."]]],
    "supporting_facts": [["Lead", 1]],
    "level": "easy",
}
MUSIQUE = {
    "question": "How long is a fathom?",
    "paragraphs": [
        {"idx": 0, "title": "Bread", "paragraph_text": "It rises.", "is_supporting": False},
        {"idx": 1, "title": "Fathom", "paragraph_text": "Six feet.", "is_supporting": True},
    ],
}


def write(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path


@pytest.mark.parametrize("as_lines", [False, True])
def test_both_layouts(tmp_path: Path, as_lines: bool) -> None:
    for item, gold, text in (
        (HOTPOT, (0,), "It has a hollow. Tallow fills it."),
        (MUSIQUE, (1,), "Six feet."),
    ):
        content = f"{json.dumps(item)}\n\n{json.dumps(item)}\n" if as_lines else [item, item]
        first, second = read_question_file(write(tmp_path / "data.json", content))
        assert first == second
        assert (first.question, first.gold) == (item["question"], gold)
        assert first.passages[gold[0]].text == text
        assert len({passage.page.page_id for passage in first.passages}) == 2


def test_questions_without_gold_or_without_others_are_left_out(tmp_path: Path) -> None:
    none = {**HOTPOT, "supporting_facts": []}
    only = {**HOTPOT, "context": HOTPOT["context"][:1]}
    path = write(tmp_path / "data.json", [none, HOTPOT, only])
    [question] = read_question_file(path)
    described = describe_file(path, [question])
    assert (described.name, described.questions, described.passages) == ("data.json", 1, 2)
    assert described.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(InputError, match="no question has gold"):
        read_question_file(write(path, [none]))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("nothing", "it is no JSON"),
        ("[1]", "0: Input should be"),
        ([{"question": "q"}], "0.context: Field required"),
        ([MUSIQUE, HOTPOT], "1.paragraphs: Field required"),
        ("", "no question has gold"),
    ],
)
def test_other_files_are_refused_in_one_line(tmp_path: Path, content: Any, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        read_question_file(write(tmp_path / "data.json", content))
    assert "data.json" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_question_file(tmp_path / "data.json")
