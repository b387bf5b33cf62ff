"""Choosing how much of a ranked list a prompt can hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from .engine import Engine, Message, check_fits

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fitted(Generic[T]):
    """A prompt that fits; ``kept`` and ``dropped`` together are the items, in their order."""

    messages: tuple[Message, ...]
    kept: tuple[T, ...]
    dropped: tuple[T, ...]


async def fit(
    engine: Engine,
    render: Callable[[Sequence[T]], tuple[Message, ...]],
    items: Sequence[T],
    *,
    max_tokens: int,
) -> Fitted[T]:
    """Render as many of ``items``, most important first, as leave room for ``max_tokens``.

    The longest prefix is found by bisection on the engine's own counts, so ``render`` must not
    give a shorter prompt for more items.

    Raises:
        PromptTooLong: not even the prompt without any item fits.
    """
    room = engine.context_tokens - max_tokens
    messages = render(items)
    if await engine.count_tokens(messages) <= room:
        return Fitted(messages, tuple(items), ())
    messages = render(items[:0])
    check_fits(
        engine.model_id,
        prompt_tokens=await engine.count_tokens(messages),
        max_tokens=max_tokens,
        context_tokens=engine.context_tokens,
    )
    fitting, too_many = 0, len(items)
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        longer = render(items[:middle])
        if await engine.count_tokens(longer) <= room:
            fitting, messages = middle, longer
        else:
            too_many = middle
    return Fitted(messages, tuple(items[:fitting]), tuple(items[fitting:]))
