"""Generation by any endpoint that speaks the OpenAI chat protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Final, TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..cancellation import Cancellation, unless_cancelled
from ..errors import ConfigError, EndpointError, LeadlineError, MissingKey, PromptTooLong
from ..retrying import RetryTransport
from .endpoint_tokens import EndpointTokens, estimate
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
from .openai_wire import BadStream, Dialect, TokenUsage, chunks

T = TypeVar("T")

_CONNECT_SECONDS: Final = 10.0
_SHOWN_COMPLAINT: Final = 200


class _ListedModel(BaseModel):
    """A row of ``/v1/models``, with the names under which servers tell the window."""

    model_config = ConfigDict(extra="allow")

    id: str
    max_model_len: int | None = None
    context_length: int | None = None
    context_window: int | None = None


class _ModelList(BaseModel):
    data: list[_ListedModel] = Field(default_factory=list)


class OpenAIEngine:
    """An OpenAI-compatible endpoint behind the :class:`~leadline.runtime.engine.Engine` protocol.

    ``base_url`` is the address with its version path (``http://127.0.0.1:8000/v1``; ``/v1`` is
    added to a bare host). ``idle_seconds`` is how long the server may stay silent. What the server
    does not understand (JSON schemas, the seed, …) is found out by trying, once, and remembered.

    Raises:
        ConfigError: ``base_url`` is no http(s) address.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        context_tokens: int = DEFAULT_CONTEXT_TOKENS,
        idle_seconds: float = 300.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        address = _parse(base_url)
        self.model_id = model
        self.context_tokens = context_tokens
        self.endpoint = str(address.copy_with(userinfo=b"")).rstrip("/")
        """The address as messages name it, without credentials."""
        self._key = api_key
        self._dialect = Dialect()
        self._idle_seconds = idle_seconds
        self._base = str(address).rstrip("/")
        self._client = httpx.AsyncClient(
            transport=RetryTransport(transport or httpx.AsyncHTTPTransport(http2=True)),
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(idle_seconds, connect=_CONNECT_SECONDS),
        )
        self._tokens = EndpointTokens(self._client, self._base.removesuffix("/v1"), model)

    @classmethod
    async def open(
        cls,
        base_url: str,
        model: str,
        *,
        api_key: str | None = None,
        context_tokens: int | None = None,
        idle_seconds: float = 300.0,
    ) -> OpenAIEngine:
        """An engine whose endpoint has answered; its window is asked from ``/v1/models``.

        ``context_tokens`` overrides what the server says; 8192 where it says nothing.

        Raises:
            EndpointError: it cannot be reached, refuses, or does not have ``model``.
            MissingKey: it asks for a key.
        """
        engine = cls(base_url, model, api_key=api_key, idle_seconds=idle_seconds)
        try:
            told = await engine._ask_window()
        except BaseException:
            await engine.aclose()
            raise
        engine.context_tokens = context_tokens or told or DEFAULT_CONTEXT_TOKENS
        return engine

    def __repr__(self) -> str:
        return f"OpenAIEngine({self.endpoint!r}, {self.model_id!r})"

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        try:
            return await self._tokens.count_prompt(messages)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        prompt_tokens = await unless_cancelled(self.count_tokens(request.messages), cancel)
        check_fits(
            self.model_id,
            prompt_tokens=prompt_tokens,
            max_tokens=request.max_tokens,
            context_tokens=self.context_tokens,
        )
        started = False
        try:
            async for item in self._attempt(request, prompt_tokens, cancel):
                started = True
                yield item
        except EndpointError:
            # a server that streams may find out only after its 200 that it cannot tell likelihoods
            if started or not request.first_tokens or not self._dialect.takes_logprobs:
                raise
            self._dialect = replace(self._dialect, takes_logprobs=False)
            async for item in self._attempt(request, prompt_tokens, cancel):
                yield item

    async def generate(self, request: GenerationRequest, *, cancel: Cancellation) -> Generation:
        return await last_generation(self.stream(request, cancel=cancel))

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _attempt(
        self, request: GenerationRequest, prompt_tokens: int, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        try:
            response = await unless_cancelled(self._post(request), cancel)
            try:
                async for item in self._read(response, prompt_tokens, cancel):
                    yield item
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        except BadStream as error:
            raise EndpointError(
                f"{self.endpoint} did not answer with a stream of completions ({error})",
                remedy="check that the address is that of an OpenAI-compatible server",
            ) from error

    async def _read(
        self, response: httpx.Response, prompt_tokens: int, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        deltas: list[str] = []
        finish: str | None = None
        usage: TokenUsage | None = None
        done = False
        first_tokens: tuple[TokenLikelihood, ...] = ()
        async for chunk in _until_cancelled(chunks(response.aiter_bytes()), cancel):
            if chunk is None:
                done = True
                break
            if chunk.error is not None:
                raise self._failure(response.status_code, str(chunk.error))
            usage = chunk.usage or usage
            for choice in chunk.choices[:1]:
                finish = choice.finish_reason or finish
                first_tokens = first_tokens or choice.first_tokens
                if choice.delta.content:
                    deltas.append(choice.delta.content)
                    yield TextDelta(choice.delta.content)
        text = "".join(deltas)
        yield Generation(
            text,
            usage.prompt_tokens if usage else prompt_tokens,
            usage.completion_tokens if usage else max(len(deltas), estimate(text)),
            self._finish_reason(finish, done=done),
            first_tokens,
        )

    def _finish_reason(self, told: str | None, *, done: bool) -> FinishReason:
        if told == "content_filter":
            raise EndpointError(
                f"{self.endpoint} withheld the answer (content filter)",
                remedy="change the question, or use another model",
            )
        if told is None and not done:
            raise EndpointError(
                f"{self.endpoint} broke off in the middle of its answer",
                remedy="ask again; if it always does, the prompt may exceed the server's window",
            )
        return "length" if told == "length" else "stop"

    async def _post(self, request: GenerationRequest) -> httpx.Response:
        """The successful response, its body unread; the dialect gives way where it must."""
        while True:
            dialect = self._dialect
            response = await self._client.send(
                self._client.build_request(
                    "POST",
                    f"{self._base}/chat/completions",
                    json=dialect.body(self.model_id, request),
                ),
                stream=True,
            )
            if response.is_success:
                return response
            complaint = (await response.aread()).decode("utf-8", errors="replace")
            await response.aclose()
            failure = self._failure(response.status_code, complaint)
            simpler = None
            if _says_not_understood(response.status_code, complaint):
                simpler = dialect.after_refusal(complaint, request)
            if simpler is None or isinstance(failure, PromptTooLong):
                raise failure
            if self._dialect == dialect:
                self._dialect = simpler

    async def _ask_window(self) -> int | None:
        try:
            response = await self._client.get(f"{self._base}/models")
        except httpx.HTTPError as error:
            raise self._unreachable(error) from error
        if response.status_code in (404, 405):
            return None
        if not response.is_success:
            raise self._failure(response.status_code, response.text)
        try:
            listed = _ModelList.model_validate_json(response.content).data
        except ValidationError as error:
            raise EndpointError(
                f"{self.endpoint} does not list its models as OpenAI's protocol does",
                remedy="check that the address is that of an OpenAI-compatible server",
            ) from error
        for row in listed:
            if row.id == self.model_id:
                return row.max_model_len or row.context_length or row.context_window
        return None

    def _failure(self, status: int, complaint: str) -> LeadlineError:
        """The error that a refusal with ``status`` and this body means."""
        shown = complaint.replace(self._key, "…") if self._key else complaint
        shown = " ".join(shown.split())[:_SHOWN_COMPLAINT]
        if status in (401, 403) and self._key is None:
            return MissingKey(f"{self.endpoint} asks for a key", remedy="set LEADLINE_ENDPOINT_KEY")
        if status in (401, 403):
            return EndpointError(
                f"{self.endpoint} refuses the key ({status})",
                remedy="check LEADLINE_ENDPOINT_KEY, and that it may use the model",
            )
        if status == 404:
            return EndpointError(
                f"{self.endpoint} does not know the model {self.model_id} (404, {shown})",
                remedy="check the model's name and the address, which often ends in /v1",
            )
        if status == 429:
            return EndpointError(
                f"{self.endpoint} has too many requests (429, {shown})",
                remedy="wait, or raise the limit of your plan",
            )
        if status in (400, 413) and "context" in complaint and "length" in complaint:
            return PromptTooLong(
                f"{self.endpoint} says that the prompt is too long ({shown})",
                remedy="set the model's window in context_tokens, or shorten the prompt",
            )
        return EndpointError(
            f"{self.endpoint} failed ({status}, {shown})",
            remedy="ask again later" if status >= 500 else "check the request and the model",
        )

    def _unreachable(self, error: httpx.HTTPError) -> EndpointError:
        if isinstance(error, httpx.ReadTimeout):
            return EndpointError(
                f"{self.endpoint} said nothing for {self._idle_seconds:g} seconds",
                remedy="ask again, or use a faster model",
            )
        if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
            return EndpointError(
                f"{self.endpoint} broke off in the middle of its answer ({error})",
                remedy="ask again",
            )
        return EndpointError(
            f"{self.endpoint} cannot be reached ({str(error) or type(error).__name__})",
            remedy="check the address, and that the server is running",
        )


async def _until_cancelled(items: AsyncIterator[T], cancel: Cancellation) -> AsyncIterator[T]:
    while True:
        try:
            item = await unless_cancelled(anext(items), cancel)
        except StopAsyncIteration:
            return
        yield item


def _says_not_understood(status: int, complaint: str) -> bool:
    # llama_cpp.server answers 500 to a body that fails its validation
    fields = ("response_format", "logprobs")
    return status in (400, 422) or (status == 500 and any(f in complaint for f in fields))


def _parse(base_url: str) -> httpx.URL:
    try:
        address = httpx.URL(base_url)
    except httpx.InvalidURL as error:
        raise _no_address(base_url) from error
    if address.scheme not in ("http", "https") or not address.host:
        raise _no_address(base_url)
    return address.copy_with(path="/v1") if address.path in ("", "/") else address


def _no_address(base_url: str) -> ConfigError:
    return ConfigError(
        f"the endpoint {base_url!r} is no http address",
        remedy="give one such as http://127.0.0.1:8000/v1",
    )
