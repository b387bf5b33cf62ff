"""What every generation engine does: messages in, streamed text and token counts out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from ..cancellation import Cancellation
from ..errors import ModelError, PromptTooLong

DEFAULT_CONTEXT_TOKENS = 8192
"""The window where neither a setting nor the model's server says another."""

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What is asked of a model."""

    messages: tuple[Message, ...]
    max_tokens: int
    """Tokens that the answer may have; the window must hold them beside the prompt."""
    json_schema: Mapping[str, object] | None = None
    """A JSON Schema that the answer must follow."""
    stop: tuple[str, ...] = ()
    """Strings before which the answer ends."""
    temperature: float = 0.0
    seed: int | None = 0
    first_tokens: int = 0
    """How many of the likeliest first tokens of the answer are told with it."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of an answer."""

    text: str


@dataclass(frozen=True, slots=True)
class TokenLikelihood:
    """A token that may come next, by its text, and its natural log probability."""

    text: str
    log_probability: float


@dataclass(frozen=True, slots=True)
class Generation:
    """A whole answer: the concatenated deltas, what they cost, and why they ended."""

    text: str
    prompt_tokens: int
    completion_tokens: int
    finish_reason: FinishReason
    first_tokens: tuple[TokenLikelihood, ...] = ()
    """The likeliest first tokens, where asked for; none from an engine that cannot tell."""


class Engine(Protocol):
    """A model that answers. Safe for many concurrent requests of one event loop."""

    @property
    def model_id(self) -> str:
        """What reports and logs call the model."""

    @property
    def context_tokens(self) -> int:
        """The window: prompt and answer together, in tokens."""
        ...

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt that ``messages`` make, or an estimate that is not too low."""
        ...

    def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        """Text as it is decoded, then one :class:`Generation`.

        Raises:
            PromptTooLong: prompt and ``max_tokens`` exceed the window; nothing was sent.
            Cancelled: ``cancel`` was set, at most two seconds ago.
            ModelError: the local model cannot be used.
            EndpointError: the remote model refused, failed or talked nonsense.
        """
        ...

    async def generate(self, request: GenerationRequest, *, cancel: Cancellation) -> Generation:
        """The last item of :meth:`stream`."""
        ...

    async def aclose(self) -> None:
        """Free the model or close the connections; a closed engine is not used again."""
        ...


async def last_generation(stream: AsyncIterator[TextDelta | Generation]) -> Generation:
    """Run ``stream`` to its end and return its :class:`Generation`."""
    generation: Generation | None = None
    async for item in stream:
        if isinstance(item, Generation):
            generation = item
    if generation is None:
        raise ModelError("the engine's stream ended without a result", remedy="ask again")
    return generation


def check_fits(model_id: str, *, prompt_tokens: int, max_tokens: int, context_tokens: int) -> None:
    """Raises PromptTooLong unless prompt and answer fit the window together."""
    if prompt_tokens + max_tokens > context_tokens:
        raise PromptTooLong(
            f"a prompt of {prompt_tokens:,} tokens and an answer of up to {max_tokens:,} "
            f"do not fit the window of {model_id}, {context_tokens:,} tokens",
            remedy="shorten the prompt, or use a model or setting with a larger window",
        )
