"""Answers are used again as RFC 9111 allows, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trustme
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from leadline.cancellation import Cancellation
from leadline.errors import FetchError
from leadline.tools.fetch import FetchedPage, Fetcher, FetchLimits
from leadline.tools.network_guard import NetworkGuard

from ..web.faults import Fault
from ..web.served_pages import ServedPage, generated_pages
from ..web.site import WebSite

if TYPE_CHECKING:
    from tests.tools.conftest import LoopbackSite

LIMITS = FetchLimits(seconds=5, silence=1, bytes=100_000, host_delay=0.0)


@pytest.fixture
def buoys() -> Iterator[WebSite]:
    with WebSite(generated_pages(3)) as site:
        yield site


async def fetched(site: WebSite, folder: Path, path: str, *, confirm: bool = False) -> FetchedPage:
    """One fetch with a new fetcher, as another run would make it."""
    guard = NetworkGuard(allow_hosts=[site.host])
    async with Fetcher(guard, limits=LIMITS, cache=folder) as fetcher:
        return await fetcher.fetch(site.url(path), cancel=Cancellation(), confirm=confirm)


async def test_a_fresh_answer_needs_no_request(buoys: WebSite, tmp_path: Path) -> None:
    buoys.cache_control = "max-age=600"
    first = await fetched(buoys, tmp_path, "/buoy/1")
    again = await fetched(buoys, tmp_path, "/buoy/1")
    assert buoys.page_requests == ["/buoy/1"]
    assert again == first


async def test_a_stale_answer_is_asked_for_conditionally(buoys: WebSite, tmp_path: Path) -> None:
    buoys.cache_control = "max-age=0"
    first = await fetched(buoys, tmp_path, "/buoy/1")
    again = await fetched(buoys, tmp_path, "/buoy/1")
    assert (len(buoys.page_requests), buoys.not_modified) == (2, 1)
    assert again.body == first.body
    assert again.fetched_at > first.fetched_at


async def test_a_changed_page_replaces_the_cached_one(buoys: WebSite, tmp_path: Path) -> None:
    await fetched(buoys, tmp_path, "/buoy/1")
    buoys.pages["/buoy/1"] = ServedPage(b"<p>The buoy has drifted away.")
    for _ in range(2):
        assert b"drifted" in (await fetched(buoys, tmp_path, "/buoy/1")).body


async def test_what_must_not_be_stored_is_not(buoys: WebSite, tmp_path: Path) -> None:
    buoys.cache_control = "no-store"
    for _ in range(2):
        await fetched(buoys, tmp_path, "/buoy/1")
    assert (len(buoys.page_requests), buoys.not_modified) == (2, 0)


async def test_a_server_is_asked_when_that_is_wanted(buoys: WebSite, tmp_path: Path) -> None:
    buoys.cache_control = "max-age=600"
    await fetched(buoys, tmp_path, "/buoy/1")
    await fetched(buoys, tmp_path, "/buoy/1", confirm=True)
    assert (len(buoys.page_requests), buoys.not_modified) == (2, 1)


@pytest.mark.parametrize("fault", [Fault.SERVER_ERROR, Fault.CUT_OFF, Fault.ENDLESS_BODY])
async def test_failures_are_not_kept(buoys: WebSite, tmp_path: Path, fault: Fault) -> None:
    buoys.fail("/buoy/1", fault, times=3)
    with pytest.raises(FetchError):
        await fetched(buoys, tmp_path, "/buoy/1")
    buoys.fail("/buoy/1", fault, times=0)
    assert (await fetched(buoys, tmp_path, "/buoy/1")).body == buoys.pages["/buoy/1"].body


def damage(folder: Path) -> None:
    for file in folder.iterdir():
        file.write_bytes(b"this is no database, " * 500)


async def test_a_damaged_cache_is_made_anew(buoys: WebSite, tmp_path: Path) -> None:
    buoys.cache_control = "max-age=600"
    await fetched(buoys, tmp_path, "/buoy/1")
    damage(tmp_path)
    for _ in range(2):
        await fetched(buoys, tmp_path, "/buoy/1")
    assert len(buoys.page_requests) == 2


async def test_a_cached_bomb_is_still_a_bomb(
    site: LoopbackSite, tmp_path: Path, cancel: Cancellation
) -> None:
    site.page(
        "/", gzip.compress(bytes(5_000_000)), content_encoding="gzip", cache_control="max-age=600"
    )
    guard = NetworkGuard(allow_hosts=["127.0.0.1"])
    for _ in range(2):
        async with Fetcher(guard, limits=LIMITS, cache=tmp_path) as fetcher:
            with pytest.raises(FetchError, match="is larger than"):
                await fetcher.fetch(site.url(), cancel=cancel)


async def test_an_endless_304_is_not_read(tmp_path: Path, cancel: Cancellation) -> None:
    """HTTP/2 lets a server send a body where there must be none."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("boat.example").configure_cert(context)
    context.set_alpn_protocols(["h2"])
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        while data := await reader.read(65_536):
            for event in connection.receive_data(data):
                if not isinstance(event, RequestReceived) or event.stream_id is None:
                    continue
                conditional = any(bytes(name) == b"if-none-match" for name, _ in event.headers)
                status = "304" if conditional else "200"
                headers = [(":status", status), ("content-type", "text/html"), ("etag", '"1"')]
                connection.send_headers(event.stream_id, headers)
                connection.send_data(event.stream_id, b"fathoms", end_stream=not conditional)
                for _ in range(3 if conditional else 0):
                    sent += 10_000
                    connection.send_data(event.stream_id, bytes(10_000))
            writer.write(connection.data_to_send())
        writer.close()

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    guard = NetworkGuard(allow_hosts=["boat.example"], resolver=resolve)
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for _ in range(2):
            async with Fetcher(
                guard, limits=LIMITS, ssl_context=trusting, respect_robots=False, cache=tmp_path
            ) as fetcher:
                page = await fetcher.fetch(f"https://boat.example:{port}/", cancel=cancel)
                assert page.body == b"fathoms"
    assert sent > 0
