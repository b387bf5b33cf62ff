"""An engine whose tokens are counted against a budget."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..budget import Budget
from ..cancellation import Cancellation
from ..runtime.engine import Engine, Generation, GenerationRequest, TextDelta
from .wrapped_engine import WrappedEngine


class MeteredEngine(WrappedEngine):
    """Passes everything on to ``engine``; what it generates is charged to ``budget``."""

    def __init__(self, engine: Engine, budget: Budget) -> None:
        super().__init__(engine)
        self._budget = budget

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        async for item in super().stream(request, cancel=cancel):
            if isinstance(item, Generation):
                self._budget.charge(
                    prompt_tokens=item.prompt_tokens, completion_tokens=item.completion_tokens
                )
            yield item
