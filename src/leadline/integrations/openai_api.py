"""Leadline behind an OpenAI-compatible endpoint: chat completions whose answers are researched.

The last message of the user is the question. An answer's ``annotations`` are its citations, and
``leadline`` holds the whole report. Streamed, progress comes as ``reasoning_content`` and the answer
when every claim is checked. A client that hangs up stops the run.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from ..agent.events import Event, RunFinished
from ..agent.narration import line_of
from ..errors import (
    Cancelled,
    ConfigError,
    InputError,
    LeadlineError,
    ModelError,
    ServiceError,
)
from ..extras import import_extra
from ..loopback import is_loopback
from ..sdk.async_client import AsyncLeadline
from .openai_wire import MODEL_ID, ChatRequest, chunk, completion, finish_reason, url_citations

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

T = TypeVar("T")

_MAX_BODY = 1_000_000
_LOOPBACK_HOSTS = ["127.0.0.1", "localhost", "[::1]"]
_STATUS: dict[type[LeadlineError], int] = {
    InputError: 400,
    ServiceError: 503,
    ModelError: 503,
    Cancelled: 499,
}


def build_app(lead: AsyncLeadline, *, host: str = "127.0.0.1", key: str | None = None) -> Starlette:
    """The ASGI application over ``lead``, which it closes when it ends.

    Where it is served on ``host`` beyond this machine, requests need ``Authorization: Bearer key``;
    on loopback they do if there is a key.

    Raises:
        ConfigError: the host can be reached from elsewhere and there is no key.
        MissingExtra: the package ``starlette`` is not installed.
    """
    applications = import_extra("starlette.applications", extra="api", purpose="the endpoint")
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.routing import Route

    if key is None and not is_loopback(host):
        raise ConfigError(
            f"on {host} others can ask, and no key protects the endpoint",
            remedy='set LEADLINE_API_KEY, or write api = "…" into keys.toml',
        )
    endpoint = _Endpoint(lead, key)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with lead:
            yield

    # A page in a browser could otherwise reach a server on loopback under a name of its own.
    guard = Middleware(
        TrustedHostMiddleware, allowed_hosts=_LOOPBACK_HOSTS if is_loopback(host) else ["*"]
    )
    app: Starlette = applications.Starlette(
        routes=[
            Route("/v1/models", endpoint.models),
            Route("/v1/chat/completions", endpoint.chat, methods=["POST"]),
        ],
        middleware=[guard],
        lifespan=lifespan,
    )
    return app


class _Endpoint:
    def __init__(self, lead: AsyncLeadline, key: str | None) -> None:
        self._lead, self._key = lead, key

    async def models(self, request: Request) -> Response:
        if not self._allowed(request):
            return _refused()
        model = {"id": MODEL_ID, "object": "model", "created": 0, "owned_by": "leadline"}
        return _json({"object": "list", "data": [model]})

    async def chat(self, request: Request) -> Response:
        from starlette.responses import StreamingResponse

        if not self._allowed(request):
            return _refused()
        # A form in a browser can send any body, but not this type, without asking first.
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _error(415, "the body must be application/json")
        try:
            wanted = ChatRequest.model_validate_json(await _body(request))
            question = wanted.question
        except ValidationError as error:
            first = error.errors(include_input=False)[0]
            return _error(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        except InputError as error:
            return _error(_status(error), str(error))
        if wanted.stream:
            return StreamingResponse(
                self._streamed(question, wanted.model), media_type="text/event-stream"
            )
        try:
            report = await _unless_gone(request, self._lead.run(question))
        except LeadlineError as error:
            return _error(_status(error), str(error))
        return _json(completion(f"chatcmpl-{report.run_id}", wanted.model, report))

    async def _streamed(self, question: str, model: str) -> AsyncIterator[str]:
        """Server-sent events; closing it stops the run."""
        run = "chatcmpl-"
        yield _sse(chunk(run, model, {"role": "assistant", "content": ""}))
        try:
            async with self._lead.stream(question) as events:
                async for event in events:
                    run = f"chatcmpl-{event.run_id}"
                    for piece in _pieces(run, model, event):
                        yield _sse(piece)
        except LeadlineError as error:
            yield _sse({"error": _problem(_status(error), str(error))})
        yield "data: [DONE]\n\n"

    def _allowed(self, request: Request) -> bool:
        if self._key is None:
            return True
        given = request.headers.get("authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self._key}".encode())


def _pieces(run: str, model: str, event: Event) -> list[dict[str, Any]]:
    """What of an event goes out."""
    if isinstance(event, RunFinished):
        report = event.report
        last = chunk(run, model, {}, finish_reason(report))
        return [
            chunk(run, model, {"content": report.markdown}),
            chunk(run, model, {"annotations": url_citations(report)}),
            {**last, "leadline": report.to_dict()},
        ]
    message = line_of(event)
    return [chunk(run, model, {"reasoning_content": f"{message}\n"})] if message else []


async def _body(request: Request) -> bytes:
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > _MAX_BODY:
            raise InputError(f"the request has more than {_MAX_BODY:,} bytes", remedy="shorten it")
    return body


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The outcome of ``work``, which is cancelled when the client hangs up."""
    task = asyncio.create_task(work)
    gone = asyncio.create_task(_hang_up(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Cancelled("the client hung up", remedy="ask again")
        return task.result()
    finally:
        for each in (task, gone):
            each.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _hang_up(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _status(error: LeadlineError) -> int:
    return next((_STATUS[kind] for kind in type(error).__mro__ if kind in _STATUS), 500)


def _problem(status: int, message: str) -> dict[str, Any]:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"message": message, "type": kind, "code": None, "param": None}


def _error(status: int, message: str) -> Response:
    return _json({"error": _problem(status, message)}, status)


def _refused() -> Response:
    return _error(401, "the key is missing or wrong")


def _json(value: dict[str, Any], status: int = 200) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse(value, status)


def _sse(value: dict[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
