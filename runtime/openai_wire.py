"""The OpenAI chat protocol as servers speak it: request bodies, streamed chunks, refusals."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from pydantic import BaseModel, Field, ValidationError

from .engine import GenerationRequest, TokenLikelihood

_LONGEST_LINE: Final = 1 << 20
_END: Final = b"[DONE]"


class BadStream(Exception):
    """The bytes of a response are not a stream of chat completion chunks."""


class Delta(BaseModel):
    content: str | None = None


class LikelyToken(BaseModel):
    token: str
    logprob: float


class TokenLogprobs(LikelyToken):
    top_logprobs: list[LikelyToken] = Field(default_factory=list)


class ChoiceLogprobs(BaseModel):
    content: list[TokenLogprobs] | None = None


class Choice(BaseModel):
    delta: Delta = Field(default_factory=Delta)
    finish_reason: str | None = None
    logprobs: ChoiceLogprobs | None = None

    @property
    def first_tokens(self) -> tuple[TokenLikelihood, ...]:
        """The likeliest tokens in the first place of this piece; none where the server is silent."""
        content = (self.logprobs.content if self.logprobs else None) or []
        return tuple(
            TokenLikelihood(likely.token, likely.logprob)
            for token in content[:1]
            for likely in token.top_logprobs
        )


class TokenUsage(BaseModel):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)


class Chunk(BaseModel):
    """One ``chat.completion.chunk``; servers that fail half-way send ``error`` instead."""

    choices: list[Choice] = Field(default_factory=list)
    usage: TokenUsage | None = None
    error: object = None


async def chunks(body: AsyncIterator[bytes]) -> AsyncIterator[Chunk | None]:
    """The chunks of a stream of server-sent events, then None where the server says it is done.

    Raises:
        BadStream: what came is no such stream.
    """
    async for line in _lines(body):
        if not line or line.startswith((b":", b"event:", b"id:", b"retry:")):
            continue
        field, _, value = line.partition(b":")
        if field != b"data":
            raise BadStream(f"it begins with {line[:60].decode('utf-8', errors='replace')!r}")
        data = value.strip()
        if data == _END:
            yield None
            return
        try:
            yield Chunk.model_validate_json(data)
        except ValidationError as error:
            shown = data[:60].decode("utf-8", errors="replace")
            raise BadStream(f"it holds {shown!r}, which is no completion chunk") from error


async def _lines(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    # httpx's own aiter_lines also breaks at U+2028 and its like, which JSON strings may hold
    pending = b""
    async for block in body:
        *lines, pending = (pending + block).split(b"\n")
        if len(pending) > _LONGEST_LINE:
            raise BadStream(f"a line is longer than {_LONGEST_LINE:,} bytes")
        for line in lines:
            yield line.rstrip(b"\r")
    if pending:
        yield pending.rstrip(b"\r")


SchemaForm = Literal["json_schema", "json_object with schema", "json_object", "unsupported"]

_SIMPLER_FORM: Final[Mapping[SchemaForm, SchemaForm]] = {
    "json_schema": "json_object with schema",
    "json_object with schema": "json_object",
    "json_object": "unsupported",
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a server was found to understand; starts with all there is and gives way."""

    schema_form: SchemaForm = "json_schema"
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    takes_temperature: bool = True
    takes_seed: bool = True
    takes_usage_option: bool = True
    takes_logprobs: bool = True

    def body(self, model: str, request: GenerationRequest) -> dict[str, object]:
        """The request in this dialect, to be sent as JSON."""
        messages = [
            {"role": message.role, "content": message.content} for message in request.messages
        ]
        body: dict[str, object] = {
            "model": model,
            "messages": messages,
            "stream": True,
            self.limit_field: request.max_tokens,
        }
        if request.stop:
            body["stop"] = list(request.stop)
        if self.takes_temperature:
            body["temperature"] = request.temperature
        if self.takes_seed and request.seed is not None:
            body["seed"] = request.seed
        if self.takes_usage_option:
            body["stream_options"] = {"include_usage": True}
        if self.takes_logprobs and request.first_tokens:
            body |= {"logprobs": True, "top_logprobs": request.first_tokens}
        if request.json_schema is not None:
            self._ask_for_schema(body, messages, request.json_schema)
        return body

    def _ask_for_schema(
        self,
        body: dict[str, object],
        messages: list[dict[str, str]],
        schema: Mapping[str, object],
    ) -> None:
        if self.schema_form == "json_schema":
            named = {"name": "answer", "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
            return
        if self.schema_form == "json_object with schema":
            body["response_format"] = {"type": "json_object", "schema": schema}
            return
        if self.schema_form == "json_object":
            body["response_format"] = {"type": "json_object"}
        messages[-1]["content"] += f"\n\nAnswer with JSON of this schema: {json.dumps(schema)}"

    def after_refusal(self, complaint: str, request: GenerationRequest) -> Dialect | None:
        """The dialect to try after a server refused a request (400, 422) with ``complaint``.

        None where nothing is left to give up.
        """
        if "max_completion_tokens" in complaint and self.limit_field == "max_tokens":
            return replace(self, limit_field="max_completion_tokens")
        if "stream_options" in complaint and self.takes_usage_option:
            return replace(self, takes_usage_option=False)
        if "temperature" in complaint and self.takes_temperature:
            return replace(self, takes_temperature=False)
        if "seed" in complaint and self.takes_seed:
            return replace(self, takes_seed=False)
        if "logprobs" in complaint and self.takes_logprobs:
            return replace(self, takes_logprobs=False)
        if request.json_schema is None or self.schema_form not in _SIMPLER_FORM:
            return None
        return replace(self, schema_form=_SIMPLER_FORM[self.schema_form])
