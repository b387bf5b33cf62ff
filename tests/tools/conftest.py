"""A small HTTP server on loopback whose answers can misbehave."""

from __future__ import annotations

import asyncio
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import pytest
from numpy.typing import NDArray

from leadline.cancellation import Cancellation
from leadline.progress import Progress


@dataclass
class Request:
    target: str
    headers: dict[str, str]
    method: str = "GET"
    body: bytes = b""


Handler: TypeAlias = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class LoopbackSite:
    """Answers by path, whatever the method; a path without a handler is a 404. One request per connection."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    closed_early: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client hangs up before its answer is complete."""
    _handlers: dict[str, Handler] = field(default_factory=dict)

    @property
    def paths(self) -> list[str]:
        return [request.target for request in self.requests]

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    def on(self, path: str, handler: Handler) -> None:
        self._handlers[path] = handler

    def handler(self, path: str) -> Handler:
        return self._handlers[path]

    def page(
        self, path: str, body: bytes | str, *, status: int = 200, **headers: str | None
    ) -> None:
        """Serve ``body``; headers by name with underscores, None leaves a default one out."""
        data = body.encode() if isinstance(body, str) else body
        sent: dict[str, str | None] = {
            "content_type": "text/html; charset=utf-8",
            "content_length": str(len(data)),
        }
        sent |= headers

        async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
            lines = [f"HTTP/1.1 {status} Status", "Connection: close"]
            lines += [f"{name.replace('_', '-')}: {value}" for name, value in sent.items() if value]
            writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + data)

        self.on(path, answer)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target = head[0].split()[:2]
            pairs = (line.partition(":") for line in head[1:] if line)
            headers = {name.lower(): value.strip() for name, _, value in pairs}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Request(target, headers, method, body)
            self.requests.append(request)
            handler = self._handlers.get(target)
            if handler is None:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            else:
                await handler(request, writer)
            await writer.drain()
        except asyncio.IncompleteReadError:
            return
        except (ConnectionError, ssl.SSLError):
            self.closed_early.set()
        finally:
            writer.close()


@pytest.fixture
async def site() -> AsyncIterator[LoopbackSite]:
    """A running :class:`LoopbackSite` on 127.0.0.1."""
    site = LoopbackSite()
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0)
    site.port = server.sockets[0].getsockname()[1]
    try:
        yield site
    finally:
        server.close()


@pytest.fixture
def cancel() -> Cancellation:
    return Cancellation()


class WordEmbedder:
    """An embedder without a model: texts that share words are near each other.

    Hashes words into ``dimensions`` buckets; keeps the texts it was given.
    """

    dimensions = 64

    def __init__(self, model_id: str = "words") -> None:
        self.model_id = model_id
        self.texts: list[str] = []

    def embed(
        self, texts: Sequence[str], *, cancel: Cancellation, progress: Progress
    ) -> NDArray[np.float32]:
        cancel.check()
        self.texts += texts
        vectors = np.full((len(texts), self.dimensions), 1e-6, dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                vectors[row, zlib.crc32(word.encode()) % self.dimensions] += 1
        unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


@pytest.fixture
def word_embedder() -> WordEmbedder:
    return WordEmbedder()
