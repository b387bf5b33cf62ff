"""Reads a response's body up to a limit that compression cannot get around."""

from __future__ import annotations

import zlib
from typing import Protocol

import httpx

ACCEPT_ENCODING = "gzip, deflate"
"""What :func:`read_body` can decode piece by piece; sent with every request."""

_GZIP_MAGIC = b"\x1f\x8b"


class BodyTooLarge(ValueError):
    """The decoded body goes past the limit."""


class BodyUndecodable(ValueError):
    """The body's coding is not one that was asked for, or is broken or cut off."""


class _Decoder(Protocol):
    def decode(self, data: bytes, room: int) -> bytes:
        """At most ``room`` bytes more than fit are ever produced."""

    def finish(self) -> None:
        """Raises BodyUndecodable when the stream was cut off."""


async def read_body(response: httpx.Response, limit: int, *, truncate: bool = False) -> bytes:
    """The decoded body of a streamed ``response``, of at most ``limit`` bytes.

    With ``truncate`` a longer body is cut there instead of refused.

    httpx decodes a network chunk as a whole, so that 64 kB of nested gzip can become gigabytes;
    here the decoder itself is told how much it may produce, and reading stops at the limit.

    Raises:
        BodyTooLarge: there are more than ``limit`` bytes, announced or actual.
        BodyUndecodable: see there.
        httpx.TransportError: the connection failed, or closed before the announced length.
    """
    announced = response.headers.get("Content-Length", "")
    if announced.isdecimal() and int(announced) > limit and not truncate:
        raise BodyTooLarge
    decoder = _decoder(response.headers.get("Content-Encoding", ""))
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += decoder.decode(chunk, limit - len(body))
        if len(body) > limit:
            if truncate:
                return bytes(body[:limit])
            raise BodyTooLarge
    decoder.finish()
    return bytes(body)


def _decoder(coding: str) -> _Decoder:
    match coding.strip().lower():
        case "" | "identity":
            return _Identity()
        case "gzip" | "x-gzip":
            return _Gzip()
        case "deflate":
            return _Deflate()
        case _:
            raise BodyUndecodable(f"its content coding {coding[:40]!r} was not asked for")


class _Identity:
    def decode(self, data: bytes, room: int) -> bytes:
        return data

    def finish(self) -> None:
        return None


class _Gzip:
    """gzip, of one or more members (RFC 1952 §2.2)."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
        self._started = False

    def decode(self, data: bytes, room: int) -> bytes:
        out = bytearray()
        while data and len(out) <= room:
            if self._stream.eof:
                if not data.startswith(_GZIP_MAGIC):
                    return bytes(out)  # padding after the last member
                self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)
            self._started = True
            out += _inflate(self._stream, data, room + 1 - len(out))
            data = self._stream.unused_data
        return bytes(out)

    def finish(self) -> None:
        if self._started and not self._stream.eof:
            raise BodyUndecodable("its gzip stream is cut off")


class _Deflate:
    """zlib format, or the bare deflate that some servers send under this name."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj()
        self._started = False

    def decode(self, data: bytes, room: int) -> bytes:
        first, self._started = not self._started, self._started or bool(data)
        try:
            return _inflate(self._stream, data, room + 1)
        except BodyUndecodable:
            if not first:
                raise
            self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
            return _inflate(self._stream, data, room + 1)

    def finish(self) -> None:
        if self._started and not self._stream.eof:
            raise BodyUndecodable("its deflate stream is cut off")


def _inflate(stream: zlib._Decompress, data: bytes, most: int) -> bytes:
    try:
        # What is held back in unconsumed_tail means that the limit is passed: the caller stops.
        return stream.decompress(data, most)
    except zlib.error as error:
        raise BodyUndecodable(f"its compressed body is broken ({error})") from error
