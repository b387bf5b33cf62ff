"""The fetcher against a server that misbehaves, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import ssl
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, FetchError
from leadline.tools.fetch import USER_AGENT, Fetcher, FetchLimits
from leadline.tools.network_guard import NetworkGuard

if TYPE_CHECKING:
    from tests.tools.conftest import LoopbackSite, Request

LIMITS = FetchLimits(seconds=5, silence=1, bytes=100_000, host_delay=0.0)
HTML = "<html><body><p>Soundings in fathoms</p></body></html>"


@pytest.fixture
async def fetcher(site: LoopbackSite) -> AsyncIterator[Fetcher]:
    """Lets the test's site through, and nothing else on this machine."""
    guard = NetworkGuard(allow_hosts=[f"127.0.0.1:{site.port}"])
    async with Fetcher(guard, limits=LIMITS) as fetcher:
        yield fetcher


async def refusal(fetcher: Fetcher, url: str) -> str:
    with pytest.raises(FetchError) as caught:
        await fetcher.fetch(url, cancel=Cancellation())
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.remedy
    return caught.value.problem


async def test_a_page(site: LoopbackSite, fetcher: Fetcher, cancel: Cancellation) -> None:
    site.page("/depth", HTML, content_type="Text/HTML; Charset=ISO-8859-1")
    page = await fetcher.fetch(site.url("/depth#bottom"), cancel=cancel)
    assert page.body == HTML.encode()
    assert (page.media_type, page.charset, page.status) == ("text/html", "iso8859-1", 200)
    assert (page.url, page.final_url) == (site.url("/depth#bottom"), site.url("/depth"))
    assert page.fetched_at.tzinfo is not None
    headers = site.requests[-1].headers
    assert headers["user-agent"] == USER_AGENT
    assert headers["accept-encoding"] == "gzip, deflate"
    assert headers["host"] == f"127.0.0.1:{site.port}"


@pytest.mark.parametrize(
    ("coding", "encode"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", lambda data: zlib.compress(data, wbits=-15)),
        ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:]) + b"\0\0"),
    ],
)
async def test_compressed_bodies(
    site: LoopbackSite, fetcher: Fetcher, cancel: Cancellation, coding: str, encode: object
) -> None:
    assert callable(encode)
    site.page("/", encode(HTML.encode()), content_encoding=coding)
    assert (await fetcher.fetch(site.url(), cancel=cancel)).body == HTML.encode()


@pytest.mark.parametrize(
    ("declared", "body", "found"),
    [
        (None, HTML, "text/html"),
        (None, "just words", "text/plain"),
        ("application/octet-stream", "\ufeff<!DOCTYPE html><p>x", "text/html"),
        ("text/html", "%PDF-1.7 …", "application/pdf"),
        ("application/pdf", "%PDF-1.7 \0", "application/pdf"),
        ("application/xhtml+xml", HTML, "application/xhtml+xml"),
        ("application/ld+json", "{}", "application/ld+json"),
        ("text/markdown;charset=utf-8", "# Depth", "text/markdown"),
        ("text/plain; charset=utf-16", "深さ".encode("utf-16"), "text/plain"),
    ],
)
async def test_media_types(
    site: LoopbackSite,
    fetcher: Fetcher,
    cancel: Cancellation,
    declared: str | None,
    body: str | bytes,
    found: str,
) -> None:
    site.page("/", body, content_type=declared)
    assert (await fetcher.fetch(site.url(), cancel=cancel)).media_type == found


@pytest.mark.parametrize(
    ("declared", "body", "reason"),
    [
        ("image/png", b"\x89PNG", "image/png, which holds no text"),
        ("application/zip", b"PK\x03\x04", "application/zip, which holds no text"),
        ("text/event-stream", b"data: x", "text/event-stream, which holds no text"),
        ("text/html", b"\x7fELF\x02\0\0\0", "of an unknown type"),
        (None, b"PK\x03\x04\0\0", "of an unknown type"),
        ("text/html", b" \n ", "is empty"),
        ("text/html", b"", "is empty"),
    ],
)
async def test_what_holds_no_text(
    site: LoopbackSite, fetcher: Fetcher, declared: str | None, body: bytes, reason: str
) -> None:
    site.page("/", body, content_type=declared)
    assert reason in await refusal(fetcher, site.url())


@pytest.mark.parametrize(
    ("status", "reason", "requests"),
    [
        (401, "refuses access (status 401)", 1),
        (403, "refuses access (status 403)", 1),
        (404, "does not exist (status 404)", 1),
        (410, "does not exist (status 410)", 1),
        (418, "answers with status 418", 1),
        (204, "answers with status 204", 1),
        (304, "answers with status 304", 1),
        (429, "asks for fewer requests", 3),
        (500, "fails with status 500", 3),
        (503, "fails with status 503", 3),
    ],
)
async def test_statuses(
    site: LoopbackSite, fetcher: Fetcher, status: int, reason: str, requests: int
) -> None:
    site.page("/", "", status=status)
    assert reason in await refusal(fetcher, site.url())
    assert site.paths.count("/") == requests


async def test_retry_after_is_honoured(
    site: LoopbackSite,
    fetcher: Fetcher,
    cancel: Cancellation,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        site.page("/", HTML)

    monkeypatch.setattr("leadline.retrying.sleep", sleep)
    site.page("/", "busy", status=429, retry_after="2")
    assert (await fetcher.fetch(site.url(), cancel=cancel)).status == 200
    assert waits == [2.0]


async def test_a_retry_after_beyond_patience_is_not_waited_for(
    site: LoopbackSite, fetcher: Fetcher
) -> None:
    site.page("/", "busy", status=429, retry_after="3600")
    assert "asks for fewer requests" in await refusal(fetcher, site.url())
    assert site.paths.count("/") == 1


async def test_redirects_are_followed(
    site: LoopbackSite, fetcher: Fetcher, cancel: Cancellation
) -> None:
    site.page("/a", "", status=302, location="b?x=ü y")
    site.page("/b?x=%C3%BC%20y", "", status=308, location=site.url("/c"))
    site.page("/c", HTML)
    page = await fetcher.fetch(site.url("/a"), cancel=cancel)
    assert (page.url, page.final_url) == (site.url("/a"), site.url("/c"))


async def test_a_cookie_lives_for_one_page(
    site: LoopbackSite, fetcher: Fetcher, cancel: Cancellation
) -> None:
    async def answer(request: Request, writer: asyncio.StreamWriter) -> None:
        head = "HTTP/1.1 302 Found\r\nLocation: /\r\nSet-Cookie: seen=1\r\nContent-Length: 0"
        if "cookie" in request.headers:
            head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5"
        writer.write(f"{head}\r\n\r\nhello"[: len(head) + 9].encode())

    site.on("/", answer)
    for _ in range(2):
        assert (await fetcher.fetch(site.url(), cancel=cancel)).body == b"hello"
    assert ["cookie" in r.headers for r in site.requests if r.target == "/"] == [
        False,
        True,
        False,
        True,
    ]


async def test_redirects_leave_room_for_others(site: LoopbackSite, cancel: Cancellation) -> None:
    """More pages at once that redirect than may be in hand."""
    for number in range(8):
        site.page(f"/old/{number}", "", status=302, location=f"/{number}")
        site.page(f"/{number}", "Lead lines.")
    limits = FetchLimits(host_delay=0.0, concurrency=2, per_host=2)
    async with Fetcher(NetworkGuard(allow_hosts=[f"127.0.0.1:{site.port}"]), limits=limits) as own:
        async with asyncio.timeout(10):
            fetches = (own.fetch(site.url(f"/old/{n}"), cancel=cancel) for n in range(8))
            found = await asyncio.gather(*fetches)
    assert [page.final_url for page in found] == [site.url(f"/{n}") for n in range(8)]


async def test_redirect_loop(site: LoopbackSite, fetcher: Fetcher) -> None:
    site.page("/a", "", status=302, location="/b")
    site.page("/b", "", status=302, location="/a")
    assert "redirects in a loop" in await refusal(fetcher, site.url("/a"))
    assert site.paths.count("/a") == 1


async def test_too_many_redirects(site: LoopbackSite, fetcher: Fetcher) -> None:
    for step in range(10):
        site.page(f"/{step}", "", status=302, location=f"/{step + 1}")
    assert "redirects more than 5 times" in await refusal(fetcher, site.url("/0"))
    assert "/6" not in site.paths


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data/", "169.254.169.254 is not a public address"),
        ("http://127.0.0.1:1/", "127.0.0.1 is not a public address"),
        ("http://127.1/", "an IP address in disguise"),
        ("http://[::ffff:127.0.0.1]/", "is not a public address"),
        ("//localhost/", "is not a public address"),
        ("file:///etc/passwd", "its scheme is not http or https"),
        ("http://user:secret@example.com/", "it carries credentials"),
        ("http://[", "its host name is malformed"),
    ],
)
async def test_redirects_are_checked_anew(
    site: LoopbackSite, fetcher: Fetcher, location: str, reason: str
) -> None:
    site.page("/", "", status=302, location=location)
    problem = await refusal(fetcher, site.url())
    assert reason in problem
    assert "secret" not in problem


async def test_an_endless_body_stops_at_the_limit(site: LoopbackSite, fetcher: Fetcher) -> None:
    async def endless(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while True:
            writer.write(b"a" * 10_000)
            await writer.drain()

    site.on("/", endless)
    assert "is larger than 0.1 MB" in await refusal(fetcher, site.url())
    await asyncio.wait_for(site.closed_early.wait(), 2)


async def test_an_announced_size_is_refused_unread(site: LoopbackSite, fetcher: Fetcher) -> None:
    site.page("/", HTML, content_length="5000000000")
    assert "is larger than" in await refusal(fetcher, site.url())


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
async def test_a_decompression_bomb_takes_no_memory(
    site: LoopbackSite, fetcher: Fetcher, coding: str
) -> None:
    bomb = zlib.compressobj(9, wbits=31 if coding == "gzip" else 15)
    body = b"".join(bomb.compress(bytes(1_000_000)) for _ in range(100)) + bomb.flush()
    site.page("/", body, content_encoding=coding)
    tracemalloc.start()
    try:
        assert "is larger than" in await refusal(fetcher, site.url())
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("coding", "body", "reason"),
    [
        ("gzip", b"not gzip", "its compressed body is broken"),
        ("gzip", gzip.compress(HTML.encode() * 50, mtime=0)[:-20], "gzip stream is cut off"),
        ("deflate", zlib.compress(HTML.encode() * 50)[:-20], "deflate stream is cut off"),
        ("gzip, gzip", b"\x1f\x8b", "was not asked for"),
        ("br", b"\x0b", "was not asked for"),
    ],
)
async def test_bodies_that_cannot_be_decoded(
    site: LoopbackSite, fetcher: Fetcher, coding: str, body: bytes, reason: str
) -> None:
    site.page("/", body, content_encoding=coding)
    assert reason in await refusal(fetcher, site.url())


async def test_a_silent_server(site: LoopbackSite, fetcher: Fetcher) -> None:
    async def silent(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)

    site.on("/", silent)
    assert "sent nothing for 1 s" in await refusal(fetcher, site.url())


async def test_a_slow_loris(site: LoopbackSite) -> None:
    """A byte now and then keeps a read timeout from ever passing; the page's time does."""

    async def drip(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.05)

    site.on("/", drip)
    guard = NetworkGuard(allow_hosts=["127.0.0.1"])
    limits = FetchLimits(seconds=0.5, silence=0.3, host_delay=0.0)
    async with Fetcher(guard, limits=limits) as fetcher:
        assert "was not complete within 0.5 s" in await refusal(fetcher, site.url())


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "broke off the answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 99\r\n\r\nabc", "broke"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "broke off"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "broke off the answer"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 300_000, "broke off the answer"),
    ],
)
async def test_answers_that_are_not_http(
    site: LoopbackSite, fetcher: Fetcher, answer: bytes, reason: str
) -> None:
    async def broken(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    site.on("/", broken)
    assert reason in await refusal(fetcher, site.url())


async def test_a_connection_that_is_reset(site: LoopbackSite, fetcher: Fetcher) -> None:
    async def reset(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\nab")
        await writer.drain()
        writer.transport.abort()

    site.on("/", reset)
    assert "broke off the answer" in await refusal(fetcher, site.url())


async def test_more_bytes_than_announced_are_left(
    site: LoopbackSite, fetcher: Fetcher, cancel: Cancellation
) -> None:
    site.page("/", HTML + "HTTP/1.1 200 OK\r\n\r\nsmuggled", content_length=str(len(HTML)))
    assert (await fetcher.fetch(site.url(), cancel=cancel)).body == HTML.encode()


async def test_no_server(unused_tcp_port: int) -> None:
    async with Fetcher(NetworkGuard(allow_hosts=["127.0.0.1"])) as fetcher:
        problem = await refusal(fetcher, f"http://127.0.0.1:{unused_tcp_port}/")
    assert "refuses the connection" in problem


async def test_no_such_host() -> None:
    async with Fetcher() as fetcher:
        assert "cannot find the host" in await refusal(fetcher, "http://nowhere.invalid/")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://127.0.0.1/", "http://u:p@a.example"])
async def test_the_guard_stands_before_the_first_request(url: str) -> None:
    async with Fetcher() as fetcher:
        assert (await refusal(fetcher, url)).startswith("refused ")


async def test_robots_txt_is_honoured(
    site: LoopbackSite, fetcher: Fetcher, cancel: Cancellation
) -> None:
    rules = "User-agent: *\nDisallow: /\n\nUser-agent: leadline\nDisallow: /private\n"
    site.page("/robots.txt", rules, content_type="text/plain")
    site.page("/open", HTML)
    site.page("/private/a", HTML)
    site.page("/hop", "", status=302, location="/private/a")
    assert (await fetcher.fetch(site.url("/open"), cancel=cancel)).status == 200
    for path in ("/private/a", "/hop"):
        assert "disallowed by" in await refusal(fetcher, site.url(path))
    assert site.paths == ["/robots.txt", "/open", "/hop"]


async def test_robots_txt_that_fails_forbids(site: LoopbackSite, fetcher: Fetcher) -> None:
    site.page("/robots.txt", "", status=500)
    site.page("/", HTML)
    for _ in range(2):
        assert "robots.txt cannot be had (status 500)" in await refusal(fetcher, site.url())
    assert site.paths == ["/robots.txt"] * 3  # one request with its retries, then the cache


async def test_robots_txt_can_be_passed_over(site: LoopbackSite, cancel: Cancellation) -> None:
    site.page("/robots.txt", "User-agent: *\nDisallow: /\n")
    site.page("/", HTML)
    guard = NetworkGuard(allow_hosts=["127.0.0.1"])
    async with Fetcher(guard, limits=LIMITS, respect_robots=False) as fetcher:
        assert (await fetcher.fetch(site.url(), cancel=cancel)).status == 200


async def test_cancelling_closes_the_socket(site: LoopbackSite, fetcher: Fetcher) -> None:
    started = asyncio.Event()

    async def slow(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")
        started.set()
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.02)

    site.on("/", slow)
    cancel = Cancellation()
    task = asyncio.create_task(fetcher.fetch(site.url(), cancel=cancel))
    await started.wait()
    asked = time.monotonic()
    cancel.cancel()
    with pytest.raises(Cancelled):
        await task
    await asyncio.wait_for(site.closed_early.wait(), 2)
    assert time.monotonic() - asked < 2
    with pytest.raises(Cancelled):
        await fetcher.fetch(site.url(), cancel=cancel)


async def test_one_host_is_asked_politely(site: LoopbackSite, cancel: Cancellation) -> None:
    running, most, starts = 0, 0, []

    async def count(request: Request, writer: asyncio.StreamWriter) -> None:
        nonlocal running, most
        starts.append(time.monotonic())
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.1)
        running -= 1
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
            b"Connection: close\r\nContent-Length: 1\r\n\r\na"
        )

    for number in range(6):
        site.on(f"/{number}", count)
    guard = NetworkGuard(allow_hosts=["127.0.0.1"])
    limits = FetchLimits(per_host=2, host_delay=0.03)
    async with Fetcher(guard, limits=limits) as fetcher:
        await asyncio.gather(*(fetcher.fetch(site.url(f"/{n}"), cancel=cancel) for n in range(6)))
    assert most == 2
    gaps = [later - sooner for sooner, later in itertools.pairwise(starts)]
    assert min(gaps) > 0.02
    assert site.paths.count("/robots.txt") == 1


@pytest.fixture
async def tls_site(site: LoopbackSite) -> AsyncIterator[tuple[LoopbackSite, ssl.SSLContext]]:
    """``site`` behind TLS as boat.example, and a context that trusts its authority."""
    authority = trustme.CA()
    site.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("boat.example").configure_cert(site.tls)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    server = await asyncio.start_server(site.serve, "127.0.0.1", 0, ssl=site.tls)
    site.port = server.sockets[0].getsockname()[1]
    yield site, trusting
    server.close()


def local_names() -> NetworkGuard:
    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    return NetworkGuard(allow_hosts=["boat.example", "other.example"], resolver=resolve)


async def test_tls_keeps_the_name(
    tls_site: tuple[LoopbackSite, ssl.SSLContext], cancel: Cancellation
) -> None:
    site, trusting = tls_site
    site.page("/", HTML)
    async with Fetcher(local_names(), limits=LIMITS, ssl_context=trusting) as fetcher:
        page = await fetcher.fetch(site.url(host="boat.example"), cancel=cancel)
        assert page.body == HTML.encode()
        assert site.requests[-1].headers["host"] == f"boat.example:{site.port}"
        problem = await refusal(fetcher, site.url(host="other.example"))
        assert "certificate that cannot be trusted" in problem


async def test_http_2(tls_site: tuple[LoopbackSite, ssl.SSLContext], cancel: Cancellation) -> None:
    site, trusting = tls_site
    assert site.tls is not None
    site.tls.set_alpn_protocols(["h2"])

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        while data := await reader.read(65_536):
            for event in connection.receive_data(data):
                if isinstance(event, RequestReceived) and event.stream_id is not None:
                    headers = [(":status", "200"), ("content-type", "text/html")]
                    connection.send_headers(event.stream_id, headers)
                    connection.send_data(event.stream_id, HTML.encode(), end_stream=True)
            writer.write(connection.data_to_send())
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=site.tls)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        Fetcher(
            local_names(), limits=LIMITS, ssl_context=trusting, respect_robots=False
        ) as fetcher,
    ):
        page = await fetcher.fetch(f"https://boat.example:{port}/", cancel=cancel)
    assert page.body == HTML.encode()


async def test_tls_failures(tls_site: tuple[LoopbackSite, ssl.SSLContext]) -> None:
    site, _ = tls_site
    async with Fetcher(local_names(), limits=LIMITS) as fetcher:
        problem = await refusal(fetcher, site.url(host="boat.example"))
    assert "certificate that cannot be trusted" in problem


async def test_plain_http_where_tls_is_expected(unused_tcp_port: int) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", unused_tcp_port)
    async with server, Fetcher(local_names(), limits=LIMITS) as fetcher:
        problem = await refusal(fetcher, f"https://boat.example:{unused_tcp_port}/")
    assert "cannot be reached over TLS" in problem


async def test_proxies_of_the_environment_are_ignored(
    site: LoopbackSite, fetcher: Fetcher, cancel: Cancellation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    site.page("/", HTML)
    async with Fetcher(NetworkGuard(allow_hosts=["127.0.0.1"])) as fresh:
        assert (await fresh.fetch(site.url(), cancel=cancel)).status == 200


async def test_a_proxy_that_is_set_is_used(site: LoopbackSite, cancel: Cancellation) -> None:
    site.page("http://nowhere.invalid/", HTML)
    async with Fetcher(limits=LIMITS, proxy=site.url("")) as fetcher:
        page = await fetcher.fetch("http://nowhere.invalid/", cancel=cancel)
        assert page.body == HTML.encode()
        assert (await refusal(fetcher, "http://10.0.0.1/")).startswith("refused ")
