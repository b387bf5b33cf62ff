"""Answers of web servers that may be used again, kept and revalidated as RFC 9111 says."""

from __future__ import annotations

import contextlib
import logging
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import httpx
from hishel import AsyncSqliteStorage, CacheOptions
from hishel.httpx import AsyncCacheTransport

from ..locations import make_private
from ..storage import storage_errors

MAX_BYTES = 512 * 1024 * 1024
"""Disk that the cache may take."""

_ARRIVED_AT = "Leadline-Arrived-At"
_FILE = "http-2.sqlite3"

# It reports what is wrong with the cache to whoever started the programme, who can do nothing.
logging.getLogger("hishel").addHandler(logging.NullHandler())


def cached(
    transport: httpx.AsyncBaseTransport,
    folder: Path,
    *,
    max_answer_bytes: int,
    max_bytes: int = MAX_BYTES,
) -> httpx.AsyncBaseTransport:
    """``transport`` behind a private cache (RFC 9111) under ``folder``.

    Fresh answers are given without a request, stale ones that have a validator are asked for
    conditionally. Bodies are kept as they were sent, compressed; those of more than
    ``max_answer_bytes`` are not kept. Several processes may share the folder.

    Raises:
        StorageError: the folder cannot be made.
    """
    path = make_private(folder) / _FILE
    _remove_if_damaged(path)
    storage = AsyncSqliteStorage(
        database_path=path, max_size=max_bytes, max_stream_size=max_answer_bytes
    )
    options = CacheOptions(shared=False, supported_methods=["GET"], allow_stale=False)
    return AsyncCacheTransport(_Stamped(transport), storage=storage, rfc=options)


def arrived_at(headers: httpx.Headers) -> datetime:
    """When an answer came from its server, or was last confirmed by it; now if it is not cached."""
    with contextlib.suppress(KeyError, ValueError):
        return datetime.fromisoformat(headers[_ARRIVED_AT])
    return datetime.now(UTC)


class _Stamped(httpx.AsyncBaseTransport):
    """Notes on each answer when it came; the note is stored, and renewed by a 304, with it."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        if response.status_code == 304:
            response = await _without_body(response)
        response.headers[_ARRIVED_AT] = datetime.now(UTC).isoformat()
        return response

    async def aclose(self) -> None:
        await self._transport.aclose()


async def _without_body(response: httpx.Response) -> httpx.Response:
    """A 304 has no body (RFC 9110 §15.4.5); over HTTP/2 a server can send one without end."""
    try:
        async for chunk in response.aiter_raw():
            if chunk:
                break
    finally:
        await response.aclose()
    headers = response.headers.copy()
    headers.pop("Content-Encoding", None)
    return httpx.Response(304, headers=headers, extensions=response.extensions)


def _remove_if_damaged(path: Path) -> None:
    """Everything in a cache can be fetched again."""
    try:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError:
        with storage_errors(path):
            for damaged in path.parent.glob(f"{path.name}*"):
                damaged.unlink()
