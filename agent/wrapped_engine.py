"""An engine around another one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from ..cancellation import Cancellation
from ..runtime.engine import (
    Engine,
    Generation,
    GenerationRequest,
    Message,
    TextDelta,
    last_generation,
)


class WrappedEngine:
    """Passes everything on to ``engine``; subclasses do something about :meth:`stream`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @property
    def model_id(self) -> str:
        return self._engine.model_id

    @property
    def context_tokens(self) -> int:
        return self._engine.context_tokens

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        return await self._engine.count_tokens(messages)

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        async for item in self._engine.stream(request, cancel=cancel):
            yield item

    async def generate(self, request: GenerationRequest, *, cancel: Cancellation) -> Generation:
        return await last_generation(self.stream(request, cancel=cancel))

    async def aclose(self) -> None:
        await self._engine.aclose()
