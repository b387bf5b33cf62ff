"""Questions written for a corpus's passages, and which of them are kept."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, InputError
from leadline.runtime.engine import GenerationRequest
from leadline.runtime.made_pages import made_page
from leadline.runtime.passages import Passage, split_pages
from leadline.runtime.question_writing import (
    describe_written,
    is_sound,
    sample_passages,
    write_questions,
)
from leadline.runtime.scripted_engine import ScriptedEngine

SUBJECTS = ["tallow", "yeast", "granite", "cobalt", "walrus", "lantern"]
PASSAGES = [
    Passage(page, 0, len(page.text))
    for page in (
        made_page(subject, f"Here is what is known of {subject}. " * 8) for subject in SUBJECTS
    )
]


async def by_words(question: str, k: int, cancel: Cancellation) -> Sequence[Passage]:
    """Passages whose title the question names, then the others."""
    ranked = sorted(PASSAGES, key=lambda passage: passage.page.title not in question)
    return ranked[:k]


def writer(*, ask: str = "What do sailors use {} for?") -> ScriptedEngine:
    """Asks about the last passage of the prompt by its title."""

    def respond(request: GenerationRequest) -> str:
        subject = request.messages[-1].content.removeprefix("<<").splitlines()[0]
        return json.dumps({"question": ask.format(subject)})

    return ScriptedEngine(respond=respond)


def fence(text: str) -> str:
    return f"<<{text}>>"


async def test_a_question_comes_with_its_passage_among_look_alikes() -> None:
    engine = writer()
    told: list[tuple[int, int | None]] = []
    written = await write_questions(
        engine,
        PASSAGES,
        by_words,
        count=3,
        fence=fence,
        cancel=Cancellation(),
        progress=lambda task, done, total, unit: told.append((done, total)),
    )
    assert [item.question for item in written] == [
        f"What do sailors use {subject} for?" for subject in SUBJECTS[:3]
    ]
    for item, passage in zip(written, PASSAGES, strict=False):
        [gold] = item.gold
        assert item.passages[gold] == passage
        assert set(item.passages) == set(PASSAGES)
    assert len({item.gold for item in written}) > 1, "the gold passage's place gives nothing away"
    assert told[-1] == (3, 3)
    assert len(engine.requests) == 3
    users = [m.content for m in engine.requests[0].messages if m.role == "user"]
    assert all(content.startswith("<<") and content.endswith(">>") for content in users)
    described = describe_written("sea", written)
    assert (described.questions, described.passages) == (3, 18)
    assert described.name.endswith("the corpus sea")


async def test_a_question_that_does_not_find_its_passage_is_dropped() -> None:
    async def at_the_end(question: str, k: int, cancel: Cancellation) -> Sequence[Passage]:
        found = await by_words(question, len(PASSAGES), cancel)
        return [*found[1:], found[0]]

    async def not_at_all(question: str, k: int, cancel: Cancellation) -> Sequence[Passage]:
        return (await by_words(question, len(PASSAGES), cancel))[1:]

    async def alone(question: str, k: int, cancel: Cancellation) -> Sequence[Passage]:
        return (await by_words(question, len(PASSAGES), cancel))[:1]

    for search in (at_the_end, not_at_all, alone):
        with pytest.raises(InputError, match="no sound question"):
            await write_questions(
                writer(), PASSAGES, search, count=3, fence=fence, cancel=Cancellation()
            )


async def test_unsound_invalid_and_repeated_answers_are_passed_over() -> None:
    engine = writer()
    engine.enqueue(
        json.dumps({"question": "What does the passage say of tallow?"}),
        "no JSON",
        "no JSON either",
        json.dumps({"question": "How is granite cut, and by whom?"}),
        json.dumps({"question": "how is GRANITE cut, and by whom?"}),
    )

    async def everything(question: str, k: int, cancel: Cancellation) -> Sequence[Passage]:
        return PASSAGES[2:]

    written = await write_questions(
        engine, PASSAGES, everything, count=2, fence=fence, cancel=Cancellation()
    )
    assert [item.question for item in written] == [
        "How is granite cut, and by whom?",
        "What do sailors use walrus for?",
    ]


async def test_it_can_be_stopped() -> None:
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        await write_questions(writer(), PASSAGES, by_words, count=1, fence=fence, cancel=cancel)


@pytest.mark.parametrize(
    ("question", "sound"),
    [
        ("How did sailors find out what the bottom is made of?", True),
        ("海洋的平均深度是多少公里？", True),
        ("What does this article say about tallow?", False),
        ("According to the text, what is tallow?", False),
        ("根据本文，海洋有多深？", False),
        ("Tallow?", False),
        ("Why is the hollow at the foot of the lead filled with tallow?", False),
        ("How " + "very " * 80 + "deep is the sea?", False),
    ],
)
def test_sound_questions(question: str, sound: bool) -> None:
    passage = "The hollow at the foot of the lead is filled with tallow. 海洋平均深度为3.7公里。"
    assert is_sound(question, passage) is sound


@given(st.lists(st.text(alphabet="ab. \n", max_size=900), max_size=6), st.integers(1, 10))
def test_sampled_passages_are_of_as_many_pages_as_there_are(texts: list[str], count: int) -> None:
    pages = [made_page(str(number), text) for number, text in enumerate(texts)]
    sampled = sample_passages(pages, count=count, max_chars=200)
    assert sampled == sample_passages(pages, count=count, max_chars=200)
    long = [p for p in split_pages(pages, max_chars=200) if len(p.text) >= 150]
    assert len(sampled) == len(set(sampled)) == min(count, len(long))
    assert set(sampled) <= set(long)
    with_long = {p.page.page_id for p in long}
    assert len({p.page.page_id for p in sampled}) == min(count, len(with_long))
