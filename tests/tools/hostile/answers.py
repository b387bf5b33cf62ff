"""What servers send to exhaust, confuse or mislead a client: whole answers, byte for byte."""

from __future__ import annotations

import gzip
import zlib

_OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
_ZEROS = bytes(20_000_000)


def _whole(body: bytes, *fields: bytes) -> bytes:
    head = _OK + b"".join(field + b"\r\n" for field in fields)
    return head + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body


def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, 9, mtime=0)


BOMBS = {
    "gzip": _whole(_gzip(_ZEROS), b"Content-Encoding: gzip"),
    "x-gzip": _whole(_gzip(_ZEROS), b"Content-Encoding: x-gzip"),
    "deflate": _whole(zlib.compress(_ZEROS, 9), b"Content-Encoding: deflate"),
    "raw deflate": _whole(zlib.compress(_ZEROS, 9, wbits=-15), b"Content-Encoding: deflate"),
    "gzip in members": _whole(_gzip(bytes(500_000)) * 40, b"Content-Encoding: gzip"),
    "gzip in empty members": _whole(_gzip(b"") * 50_000, b"Content-Encoding: gzip"),
    "gzip in gzip": _whole(_gzip(_gzip(_ZEROS)), b"Content-Encoding: gzip, gzip"),
    "brotli unasked": _whole(b"\x1b" * 100, b"Content-Encoding: br"),
    "zstd unasked": _whole(b"\x28\xb5\x2f\xfd" * 9, b"Content-Encoding: zstd"),
    "unknown coding": _whole(b"x", b"Content-Encoding: " + b"z" * 5000),
    "plain": _whole(b"a" * 3_000_000),
    "announced": _OK + b"Content-Length: 99999999999999999999\r\n\r\nab",
    "chunked": _OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"10000\r\n" + b"a" * 65_536 + b"\r\n",
}

BROKEN_HTTP = {
    "nothing": b"",
    "half a status line": b"HTTP/1.",
    "another protocol": b"SSH-2.0-OpenSSH_9.2\r\n",
    "HTTP/0.9": b"<html>hello</html>",
    "status out of range": b"HTTP/1.1 999999 OK\r\n\r\n",
    "negative status": b"HTTP/1.1 -200 OK\r\n\r\n",
    "status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "endless header": _OK + b"X: " + b"a" * 500_000,
    "many headers": _OK + b"".join(b"X-%d: a\r\n" % n for n in range(20_000)) + b"\r\n",
    "header without colon": _OK + b"nonsense\r\n\r\nbody",
    "header with NUL": _OK + b"X: a\0b\r\n\r\nbody",
    "header folding": _OK + b"X: a\r\n b\r\n\r\n",
    "two lengths": _OK + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
    "negative length": _OK + b"Content-Length: -1\r\n\r\nabc",
    "length and chunks": _OK
    + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "chunk size of letters": _OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "huge chunk size": _OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\na",
    "long chunk extension": _OK
    + b"Transfer-Encoding: chunked\r\n\r\n1;"
    + b"x" * 200_000
    + b"\r\na\r\n0\r\n\r\n",
    "cut off chunk": _OK + b"Transfer-Encoding: chunked\r\n\r\n9\r\nabc",
    "cut off gzip": _whole(_gzip(b"fathoms" * 999)[:-9], b"Content-Encoding: gzip"),
    "no gzip": _whole(b"fathoms", b"Content-Encoding: gzip"),
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nabc",
    "many interim answers": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 1000 + _whole(b"<p>x"),
    "partial content": b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/9\r\n\r\nab",
    "not modified unasked": b"HTTP/1.1 304 Not Modified\r\n\r\n",
    "Retry-After for ever": b"HTTP/1.1 429 No\r\nRetry-After: " + b"9" * 400 + b"\r\n\r\n",
    "Retry-After nonsense": b"HTTP/1.1 503 No\r\nRetry-After: soon\r\n\r\n",
    "Retry-After in year 9999": b"HTTP/1.1 503 No\r\n"
    b"Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n\r\n",
    "Retry-After of bad digits": "HTTP/1.1 429 No\r\nRetry-After: ²³\r\n\r\n".encode("latin-1"),
    "redirect without target": b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n",
    "redirect of bad bytes": b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/\r\n\r\n",
    "huge redirect": b"HTTP/1.1 302 Found\r\nLocation: /" + b"a" * 90_000 + b"\r\n\r\n",
    "unknown charset": _whole(b"<p>x", b"Content-Type: text/html; charset=klingon"),
    "charset that is no text": _whole(b"<p>x", b"Content-Type: text/html; charset=base64"),
    "charset with NUL": _whole(b"<p>x", b"Content-Type: text/html; charset=u\x7ftf"),
    "picture as HTML": _whole(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(50)),
    "programme as HTML": _whole(b"\x7fELF\x02\x01\x01" + bytes(50)),
    "cookie bomb": _OK + b"".join(b"Set-Cookie: c%d=%d\r\n" % (n, n) for n in range(500)) + b"\r\n",
}
