"""Ways in which the test site can misbehave."""

from __future__ import annotations

import asyncio
import zlib
from enum import StrEnum
from functools import lru_cache

BOMB_BYTES = 100_000_000
"""What the gzip bomb comes to when it is unpacked."""
_DRIP_SECONDS = 0.05


class Fault(StrEnum):
    SLOW = "slow"
    """A byte now and then, without an end."""
    SILENT = "silent"
    """Nothing at all is answered."""
    RESET = "reset"
    """The connection is reset in the middle of the body."""
    CUT_OFF = "cut off"
    """The connection is closed before the announced length."""
    TOO_MANY_REQUESTS = "too many requests"
    """429 with Retry-After: 1."""
    SERVER_ERROR = "server error"
    REDIRECT_LOOP = "redirect loop"
    GZIP_BOMB = "gzip bomb"
    WRONG_CHARSET = "wrong charset"
    """UTF-8 text that is declared as UTF-16."""
    ENDLESS_BODY = "endless body"
    LYING_TYPE = "lying type"
    """A picture that is declared as HTML."""
    NO_HTTP = "no http"


def prepare(fault: Fault) -> None:
    """Do beforehand what would take time in the middle of an answer."""
    if fault is Fault.GZIP_BOMB:
        _bomb()


async def misbehave(fault: Fault, path: str, body: bytes, writer: asyncio.StreamWriter) -> None:
    """Answer a request for ``path``, where ``body`` lies, as ``fault`` says; the connection ends."""
    match fault:
        case Fault.SLOW:
            await _endless(writer, b"a", _DRIP_SECONDS)
        case Fault.SILENT:
            await asyncio.sleep(3600)
        case Fault.RESET:
            writer.write(_head("200 OK", length=len(body)) + body[: len(body) // 2])
            await writer.drain()
            writer.transport.abort()
        case Fault.CUT_OFF:
            writer.write(_head("200 OK", length=len(body)) + body[: len(body) // 2])
        case Fault.TOO_MANY_REQUESTS:
            writer.write(_head("429 Too Many Requests", "Retry-After: 1", length=0))
        case Fault.SERVER_ERROR:
            writer.write(_head("500 Internal Server Error", length=0))
        case Fault.REDIRECT_LOOP:
            other = path.removesuffix("~") if path.endswith("~") else f"{path}~"
            writer.write(_head("302 Found", f"Location: {other}", length=0))
        case Fault.GZIP_BOMB:
            bomb = _bomb()
            writer.write(_head("200 OK", "Content-Encoding: gzip", length=len(bomb)) + bomb)
        case Fault.WRONG_CHARSET:
            declared = "Content-Type: text/html; charset=utf-16"
            writer.write(_head("200 OK", length=len(body), content_type=declared) + body)
        case Fault.ENDLESS_BODY:
            await _endless(writer, b"<p>on and on</p>" * 1000, 0.0)
        case Fault.LYING_TYPE:
            picture = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(500)
            writer.write(_head("200 OK", length=len(picture)) + picture)
        case Fault.NO_HTTP:
            writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
    await writer.drain()


def _head(
    status: str,
    *fields: str,
    length: int | None = None,
    content_type: str = "Content-Type: text/html; charset=utf-8",
) -> bytes:
    lines = [f"HTTP/1.1 {status}", content_type, "Connection: close", *fields]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _endless(writer: asyncio.StreamWriter, piece: bytes, pause: float) -> None:
    writer.write(_head("200 OK"))
    while True:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(pause)


@lru_cache(maxsize=1)
def _bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1_000_000)
    return b"".join(packer.compress(zeros) for _ in range(BOMB_BYTES // 1_000_000)) + packer.flush()
