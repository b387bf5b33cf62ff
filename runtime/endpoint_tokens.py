"""Counting a prompt's tokens at an endpoint: by its own tokenizer where it offers one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from .engine import Message

BYTES_PER_TOKEN: Final = 3
"""UTF-8 bytes: English has 4 or more, Chinese 3 to 4."""
_TOKENS_PER_MESSAGE: Final = 8
_TOKENS_PER_PROMPT: Final = 32
"""Room for a system prompt that some chat templates add by themselves."""


R = TypeVar("R", bound=BaseModel)


class _Count(BaseModel):
    count: int


class _Tokens(BaseModel):
    tokens: list[int]


class EndpointTokens:
    """Tries the tokenizers of vLLM, llama-server and llama_cpp.server, and keeps to what works.

    ``root`` is the server's address without ``/v1``. Without a tokenizer a count is estimated.
    """

    def __init__(self, client: httpx.AsyncClient, root: str, model: str) -> None:
        self._client = client
        self._root = root
        self._model = model
        self._ways: list[Callable[[Sequence[Message]], Awaitable[int | None]]] = [
            self._by_vllm,
            self._by_llama_server,
            self._by_llama_cpp_server,
        ]

    async def count_prompt(self, messages: Sequence[Message]) -> int:
        """Tokens of the prompt, template included.

        Raises:
            httpx.HTTPError: the server could not be reached.
        """
        for way in tuple(self._ways):
            count = await way(messages)
            if count is not None:
                return count
            if way in self._ways:
                self._ways.remove(way)
        return _with_template(messages, sum(estimate(message.content) for message in messages))

    async def _by_vllm(self, messages: Sequence[Message]) -> int | None:
        turns = [{"role": message.role, "content": message.content} for message in messages]
        reply = await self._ask(_Count, "/tokenize", {"model": self._model, "messages": turns})
        return None if reply is None else reply.count

    async def _by_llama_server(self, messages: Sequence[Message]) -> int | None:
        reply = await self._ask(_Tokens, "/tokenize", {"content": _joined(messages)})
        return None if reply is None else _with_template(messages, len(reply.tokens))

    async def _by_llama_cpp_server(self, messages: Sequence[Message]) -> int | None:
        asked = {"model": self._model, "input": _joined(messages)}
        reply = await self._ask(_Count, "/extras/tokenize/count", asked)
        return None if reply is None else _with_template(messages, reply.count)

    async def _ask(self, kind: type[R], path: str, body: Mapping[str, object]) -> R | None:
        """The server's answer; None where it has no such tokenizer."""
        response = await self._client.post(f"{self._root}{path}", json=body)
        if not response.is_success:
            return None
        try:
            return kind.model_validate_json(response.content)
        except ValidationError:
            return None


def _joined(messages: Sequence[Message]) -> str:
    return "\n".join(message.content for message in messages)


def estimate(text: str) -> int:
    """Tokens that ``text`` has at most in most vocabularies."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)


def _with_template(messages: Sequence[Message], content_tokens: int) -> int:
    return content_tokens + _TOKENS_PER_MESSAGE * len(messages) + _TOKENS_PER_PROMPT
