from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.errors import PromptTooLong
from leadline.runtime.engine import Message
from leadline.runtime.prompt_fitting import fit
from leadline.runtime.scripted_engine import ScriptedEngine

HEAD = "Answer from these passages."


def render(passages: Sequence[str]) -> tuple[Message, ...]:
    return (Message("system", HEAD), Message("user", "\n".join(passages)))


@given(
    passages=st.lists(st.text(max_size=60), max_size=20),
    window=st.integers(min_value=20, max_value=200),
    max_tokens=st.integers(min_value=1, max_value=12),
)
async def test_the_longest_prefix_that_fits_is_kept(
    passages: list[str], window: int, max_tokens: int
) -> None:
    engine = ScriptedEngine(context_tokens=window)
    fitted = await fit(engine, render, passages, max_tokens=max_tokens)

    assert [*fitted.kept, *fitted.dropped] == passages
    assert fitted.messages == render(fitted.kept)
    assert await engine.count_tokens(fitted.messages) + max_tokens <= window
    if fitted.dropped:
        one_more = render(passages[: len(fitted.kept) + 1])
        assert await engine.count_tokens(one_more) + max_tokens > window


async def test_a_prompt_too_long_without_any_item_is_refused() -> None:
    engine = ScriptedEngine(context_tokens=10)
    with pytest.raises(PromptTooLong, match=r"7 tokens.*4"):
        await fit(engine, render, ["a passage"], max_tokens=4)


async def test_items_may_be_anything() -> None:
    engine = ScriptedEngine(context_tokens=10)

    def numbers(items: Sequence[int]) -> tuple[Message, ...]:
        return (Message("user", " ".join(map(str, items))),)

    fitted = await fit(engine, numbers, range(1000), max_tokens=5)
    assert fitted.kept == tuple(range(10))
    assert len(fitted.dropped) == 990
