"""An engine that replays prepared answers: for tests, demonstrations and recorded runs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from ..cancellation import Cancellation, unless_cancelled
from ..errors import ModelError
from .engine import (
    DEFAULT_CONTEXT_TOKENS,
    FinishReason,
    Generation,
    GenerationRequest,
    Message,
    TextDelta,
    TokenLikelihood,
    check_fits,
    last_generation,
)

CHARACTERS_PER_TOKEN = 4

Reply = str | Exception | Callable[[GenerationRequest], str]
Likelihoods = Callable[[GenerationRequest], Mapping[str, float]]


class ScriptedEngine:
    """Gives the queued replies in the order in which requests arrive.

    A reply is a text, an exception to raise, or a function of the request. ``respond`` answers
    once the queue is empty (concurrent requests have no order worth scripting); without it an
    empty queue is an error. With a ``gate`` every answer halts after its first piece until the
    gate is set. A token is four characters. ``likelihoods`` gives the log probabilities of first
    tokens to a request that asks for them; without it the engine is one that cannot tell.
    """

    def __init__(
        self,
        replies: Sequence[Reply] = (),
        *,
        respond: Callable[[GenerationRequest], str] | None = None,
        model_id: str = "scripted",
        context_tokens: int = DEFAULT_CONTEXT_TOKENS,
        gate: asyncio.Event | None = None,
        likelihoods: Likelihoods | None = None,
    ) -> None:
        self.model_id = model_id
        self.context_tokens = context_tokens
        self.requests: list[GenerationRequest] = []
        """Every request, in the order of arrival."""
        self._replies: deque[Reply] = deque(replies)
        self._respond = respond
        self._gate = gate
        self._likelihoods = likelihoods

    def enqueue(self, *replies: Reply) -> None:
        """Add replies at the end of the queue."""
        self._replies.extend(replies)

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        return sum(_tokens(message.content) for message in messages)

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        cancel.check()
        prompt_tokens = await self.count_tokens(request.messages)
        check_fits(
            self.model_id,
            prompt_tokens=prompt_tokens,
            max_tokens=request.max_tokens,
            context_tokens=self.context_tokens,
        )
        self.requests.append(request)
        text, finish_reason = _finish(self._next_reply(request), request)
        for start in range(0, len(text), CHARACTERS_PER_TOKEN):
            if start and self._gate is not None:
                await unless_cancelled(self._gate.wait(), cancel)
            cancel.check()
            yield TextDelta(text[start : start + CHARACTERS_PER_TOKEN])
            await asyncio.sleep(0)
        cancel.check()
        yield Generation(
            text, prompt_tokens, _tokens(text), finish_reason, self._first_tokens(request)
        )

    async def generate(self, request: GenerationRequest, *, cancel: Cancellation) -> Generation:
        return await last_generation(self.stream(request, cancel=cancel))

    async def aclose(self) -> None:
        self._replies.clear()

    def _first_tokens(self, request: GenerationRequest) -> tuple[TokenLikelihood, ...]:
        if not request.first_tokens or self._likelihoods is None:
            return ()
        told = sorted(self._likelihoods(request).items(), key=lambda item: -item[1])
        return tuple(TokenLikelihood(*item) for item in told[: request.first_tokens])

    def _next_reply(self, request: GenerationRequest) -> str:
        reply = self._replies.popleft() if self._replies else self._respond
        if reply is None:
            raise ModelError(
                f"{self.model_id} has no reply left for request {len(self.requests)}",
                remedy="enqueue one reply for each request",
            )
        if isinstance(reply, Exception):
            raise reply
        return reply if isinstance(reply, str) else reply(request)


def _tokens(text: str) -> int:
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def _finish(reply: str, request: GenerationRequest) -> tuple[str, FinishReason]:
    """End a reply at a stop string or at ``max_tokens``, as a model would."""
    ends = [at for stop in request.stop if (at := reply.find(stop)) >= 0]
    text = reply[: min(ends)] if ends else reply
    longest = request.max_tokens * CHARACTERS_PER_TOKEN
    return (text[:longest], "length") if len(text) > longest else (text, "stop")
