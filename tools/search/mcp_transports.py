"""Connections to MCP servers that no server can make outgrow their bounds.

The library buffers a line of any length, and its HTTP client knows no guard: both ways are
replaced here. What a server writes beyond ``most`` bytes ends the connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import anyio
import httpx
import httpx2
from mcp.client._transport import TransportStreams
from mcp.client.stdio import get_default_environment
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp.types import jsonrpc_message_adapter
from pydantic import SecretStr

from ..network_guard import GuardedTransport, NetworkGuard

_GRACE_SECONDS = 1.0
"""What a server gets to end by itself once its input is closed."""
_PIECE = 65_536


@asynccontextmanager
async def over_stdio(command: Sequence[str], *, most: int) -> AsyncIterator[TransportStreams]:
    """A server started by ``command``, with its children ended at the end, whatever they do.

    It gets the library's short list of environment variables, which holds no key. What it writes
    to stderr is dropped.

    Raises:
        OSError: the command cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=get_default_environment(),
        start_new_session=True,
        limit=most,
    )
    to_us, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    outgoing, from_us = anyio.create_memory_object_stream[SessionMessage](0)
    assert process.stdin is not None and process.stdout is not None
    stdin, stdout = process.stdin, process.stdout

    async def receive() -> None:
        left = most
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, ValueError):
            async with to_us:
                # A line longer than ``most`` raises ValueError: the stream closes, the session too.
                while line := await stdout.readline():
                    left -= len(line)
                    if left < 0:
                        return
                    await to_us.send(_message(line))

    async def send() -> None:
        with contextlib.suppress(ConnectionError, anyio.ClosedResourceError):
            async with from_us:
                async for message in from_us:
                    text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                    stdin.write(f"{text}\n".encode())
                    await stdin.drain()

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(receive)
            tasks.start_soon(send)
            yield incoming, outgoing
            tasks.cancel_scope.cancel()
    finally:
        for stream in (to_us, incoming, outgoing, from_us):
            stream.close()
        try:
            stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_GRACE_SECONDS):
                    while await stdout.read(_PIECE):  # else the pipe stays open, and so it waits
                        pass
                    await process.wait()


def _message(line: bytes) -> SessionMessage | Exception:
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error


@asynccontextmanager
async def over_http(
    url: str, guard: NetworkGuard, key: SecretStr | None, *, most: int, seconds: float
) -> AsyncIterator[TransportStreams]:
    """A server at ``url`` over streamable HTTP, every request through ``guard``.

    ``key`` is sent as a bearer token. Redirects to another origin are not followed.
    """
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    async with (
        httpx2.AsyncClient(
            transport=_GuardedHttp(guard, most), headers=headers, timeout=seconds, trust_env=False
        ) as client,
        streamable_http_client(url, http_client=client, max_sse_event_size=most) as streams,
    ):
        yield streams


class _GuardedHttp(httpx2.AsyncBaseTransport):
    """The library's HTTP requests, sent by our guarded transport and bounded."""

    def __init__(self, guard: NetworkGuard, most: int) -> None:
        self._transport = GuardedTransport(guard)
        self._most = most

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            response = await self._transport.handle_async_request(
                httpx.Request(
                    request.method,
                    str(request.url),
                    headers=request.headers.raw,
                    content=await request.aread(),
                    extensions=dict(request.extensions),
                )
            )
        except httpx.TimeoutException as error:
            raise httpx2.ReadTimeout(str(error), request=request) from error
        except httpx.TransportError as error:
            raise httpx2.ConnectError(str(error), request=request) from error
        return httpx2.Response(
            response.status_code,
            headers=response.headers.raw,
            stream=_Bounded(response, self._most),
            request=request,
        )

    async def aclose(self) -> None:
        await self._transport.aclose()


class _Bounded(httpx2.AsyncByteStream):
    def __init__(self, response: httpx.Response, most: int) -> None:
        self._response = response
        self._left = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for piece in cast(httpx.AsyncByteStream, self._response.stream):
                self._left -= len(piece)
                if self._left < 0:
                    raise httpx2.ReadError("the server sends more than it may")
                yield piece
        except httpx.TransportError as error:
            raise httpx2.ReadError(str(error)) from error

    async def aclose(self) -> None:
        await self._response.aclose()
