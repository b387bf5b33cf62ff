"""Choosing heads by answers that stand in made texts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled
from leadline.runtime.calibration_copying import copy_tasks, copying_heads, describe_tasks
from leadline.runtime.decoder import Decoder
from leadline.runtime.gguf_weights import convert
from leadline.runtime.tokenizer import TextTokenizer
from leadline.runtime.windows import WindowBuilder

from .tiny_models import make_model, write_gguf

CONTEXT = 4096


@given(seed=st.integers(0, 10_000))
def test_one_sentence_answers_the_question(seed: int) -> None:
    [task] = copy_tasks(1, seed=seed)
    answer = task.passages[task.needle].text[task.start : task.end]
    owner = task.question.removeprefix("What does ").removesuffix(" keep, and where?")
    sentence = f"{owner} keeps{answer}."
    assert answer.startswith(" ")
    assert [sentence in passage.text for passage in task.passages] == [
        place == task.needle for place in range(len(task.passages))
    ]
    assert sum(passage.text.count(owner) for passage in task.passages) == 1


def test_the_score_is_the_share_of_the_answer_that_a_head_looks_up(tmp_path: Path) -> None:
    model = make_model("qwen2", context=CONTEXT)
    weights = convert(write_gguf(model, tmp_path / "tiny.gguf"))
    decoder = Decoder(weights, last_layer=1, dtype=torch.float32)
    windows = WindowBuilder(TextTokenizer(weights.tokenizer))
    tasks = copy_tasks(1)
    [task] = tasks
    chosen = copying_heads(decoder, windows, tasks, count=8)

    window = windows.build(task.passages)
    asked = windows.ask(task.question).ids
    # Of this vocabulary's tokens only "the" is longer than a byte
    text = task.passages[task.needle].text
    tokens = windows.offsets(task.passages[task.needle])
    first = next(n for n, (start, _) in enumerate(tokens) if start == task.start)
    last = next(n for n, (_, end) in enumerate(tokens) if end == task.end)
    columns = [window.passages[task.needle].start + n for n in range(first, last + 1)]
    assert text[task.end] == "."
    ids = [*window.ids, *asked, *(window.ids[column] for column in columns)]
    with torch.no_grad():
        maps = model(torch.tensor([ids]), output_attentions=True).attentions
    before = len(window.ids) + len(asked) - 1
    for head in chosen:
        strongest = [
            int(maps[head.layer][0, head.head, before + n].argmax()) for n in range(len(columns))
        ]
        hits = [a == b for a, b in zip(strongest, columns, strict=True)]
        assert head.score == pytest.approx(sum(hits) / len(hits), abs=1.01 / len(hits))
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        copying_heads(decoder, windows, tasks, cancel=cancel)


def test_what_a_table_says_of_the_tasks() -> None:
    described = describe_tasks(copy_tasks(3))
    assert (described.questions, described.passages) == (3, 18)
    assert described == describe_tasks(copy_tasks(3))
    assert described.sha256 != describe_tasks(copy_tasks(3, seed=1)).sha256
