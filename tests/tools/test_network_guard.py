"""Only public addresses are connected to, whatever the URL and the name service say."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING

import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.errors import ConfigError, FetchError
from leadline.tools.network_guard import (
    GuardedTransport,
    NetworkGuard,
    is_public,
    redacted,
)

if TYPE_CHECKING:
    from tests.tools.conftest import LoopbackSite

PUBLIC = "93.184.216.34"


def resolver(*answers: list[str]) -> Callable[[str, int], Awaitable[list[str]]]:
    """Gives the answers in turn, the last one for ever."""
    queue = list(answers)

    async def resolve(host: str, port: int) -> list[str]:
        return queue.pop(0) if len(queue) > 1 else queue[0]

    return resolve


class LoopbackConnector(httpcore.AnyIOBackend):
    """Stands for the Internet: every address leads to one loopback port, and is written down."""

    def __init__(self, port: int, dead: Iterable[str] = ()) -> None:
        self.port = port
        self.dead = set(dead)
        self.asked: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.asked.append(host)
        if host in self.dead:
            raise httpcore.ConnectTimeout
        return await super().connect_tcp("127.0.0.1", self.port, timeout)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "100.127.255.254",
        "127.0.0.1",
        "127.8.8.8",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.250",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address",
    [PUBLIC, "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"],
)
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_as_public_as_itself(address: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(0xFFFF_0000_0000 | int(address))
    translated = ipaddress.IPv6Address((0x64FF9B << 96) | int(address))
    assert is_public(mapped) == is_public(translated) == is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://127.0.0.1./",
        "http://127.1/",
        "http://0x7f.0.0.1/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://2130706433/",
        "http://0/",
        "http://127.0.0.01/",
        "http://256.256.256.256/",
        "http://1.2.3.4.5/",
        "http://127。0。0。1/",
        "http://１２７.０.０.１/",
        "http://①②⑦.⓪.⓪.①/",
        "http://[::1]/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[64:ff9b::7f00:1]/",
        "http://[2002:7f00:1::]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://%31%32%37.0.0.1/",
        "http://user:secret@example.com/",
        "http://user:sec/secret@example.com/",
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1#@example.com/",
        "http://127.0.0.1\\@example.com/",
        "http://example.com\\.evil.example/",
        "http://exa mple.com/",
        "http://example.com\r\nHost: 127.0.0.1/",
        "http://example.com:0/",
        "http://example.com:99999/",
        "http://example.com:x/",
        "http://example..com/",
        "http://-example.com/",
        "http://" + "a" * 64 + ".com/",
        "http://.../",
        "http:///etc/passwd",
        "http:",
        "http://[::1",
        "file:///etc/passwd",
        "ftp://example.com/",
        "gopher://example.com:70/_x",
        "javascript:alert(1)",
        "data:text/html,x",
        "unix:///run/docker.sock",
        "//example.com/",
        "example.com",
        "",
    ],
)
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(FetchError) as caught:
        NetworkGuard().check_url(url)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        ("https://example.com/a?b=c#d", "https://example.com/a?b=c"),
        ("  HTTP://Example.COM:80/ ", "http://example.com/"),
        ("http://bücher.example/ü", "http://xn--bcher-kva.example/%C3%BC"),
        ("http://my_host.example:8080/a b", "http://my_host.example:8080/a%20b"),
        ("http://93.184.216.34/", "http://93.184.216.34/"),
        ("http://[2606:2800:220:1::1]:8080/", "http://[2606:2800:220:1::1]:8080/"),
        ("http://example.com./", "http://example.com./"),
    ],
)
def test_urls_that_are_let_through(url: str, asked: str) -> None:
    parsed = NetworkGuard().check_url(url)
    assert parsed == httpx.URL(asked)


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_a_one_line_refusal(text: str) -> None:
    for url in (text, f"http://{text}", f"http://{text}@example.com/"):
        try:
            NetworkGuard().check_url(url)
        except FetchError as error:
            assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize(
    ("entry", "url", "passes"),
    [
        ("127.0.0.1:8080", "http://127.0.0.1:8080/", True),
        ("127.0.0.1:8080", "http://127.0.0.1:8081/", False),
        ("127.0.0.1", "http://127.0.0.1:8081/", True),
        ("[::1]:8080", "http://[::1]:8080/", True),
        ("::1", "http://[::1]/", True),
        ("127.0.0.1", "http://127.0.0.2/", False),
        ("127.0.0.1", "http://127.0.0.1./", True),
        ("127.0.0.1", "http://u@127.0.0.1/", False),
    ],
)
def test_a_named_local_host_is_let_through(entry: str, url: str, passes: bool) -> None:
    guard = NetworkGuard(allow_hosts=[entry])
    if passes:
        guard.check_url(url)
    else:
        with pytest.raises(FetchError):
            guard.check_url(url)


@pytest.mark.parametrize("entry", ["http://intranet/", "a:b:c", "", "host:port", "u@host"])
def test_an_allowed_host_that_cannot_be_read(entry: str) -> None:
    with pytest.raises(ConfigError, match="allowed host"):
        NetworkGuard(allow_hosts=[entry])


async def test_one_private_address_among_public_ones_is_refused() -> None:
    guard = NetworkGuard(resolver=resolver([PUBLIC, "10.0.0.1"]))
    with pytest.raises(FetchError, match=r"10\.0\.0\.1 is not a public address"):
        await guard.resolve("example.com", 80)


async def test_a_zone_does_not_hide_a_local_address() -> None:
    guard = NetworkGuard(resolver=resolver(["fe80::1%eth0"]))
    with pytest.raises(FetchError, match="not a public address"):
        await guard.resolve("example.com", 80)


async def test_the_systems_resolver_answers_for_localhost() -> None:
    with pytest.raises(FetchError, match="refused localhost"):
        await NetworkGuard().resolve("localhost", 80)
    assert await NetworkGuard(allow_hosts=["localhost"]).resolve("localhost", 80)


async def test_a_name_that_does_not_exist() -> None:
    with pytest.raises(FetchError, match=r"cannot find the host nowhere\.invalid"):
        await NetworkGuard().resolve("nowhere.invalid", 80)


async def test_the_connection_goes_to_the_address_that_was_checked(site: LoopbackSite) -> None:
    """The name answers with loopback ever after the check: nobody asks it again."""
    site.page("/", "hello")
    connector = LoopbackConnector(site.port)
    guard = NetworkGuard(resolver=resolver([PUBLIC], ["127.0.0.1"]))
    async with GuardedTransport(guard, connector=connector) as transport:
        request = httpx.Request("GET", "http://rebind.example/")
        response = await transport.handle_async_request(request)
        assert await response.aread() == b"hello"
        # A second connection asks the name again, and is refused.
        with pytest.raises(FetchError, match=r"127\.0\.0\.1 is not a public address"):
            await transport.handle_async_request(request)
    assert connector.asked == [PUBLIC]
    assert site.requests[0].headers["host"] == "rebind.example"
    assert len(site.requests) == 1


async def test_a_dead_address_is_passed_over(site: LoopbackSite) -> None:
    site.page("/", "hello")
    connector = LoopbackConnector(site.port, dead=["2606:2800:220:1::1"])
    guard = NetworkGuard(resolver=resolver(["2606:2800:220:1::1", PUBLIC]))
    async with GuardedTransport(guard, connector=connector) as transport:
        response = await transport.handle_async_request(httpx.Request("GET", "http://two.example/"))
        assert await response.aread() == b"hello"
    assert connector.asked == ["2606:2800:220:1::1", PUBLIC]


async def test_the_transport_itself_refuses_a_literal_address() -> None:
    async with GuardedTransport(NetworkGuard()) as transport:
        with pytest.raises(FetchError, match="not a public address"):
            await transport.handle_async_request(httpx.Request("GET", "http://169.254.169.254/"))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://user:secret@host/path?q=1", "http://***@host/path?q=1"),
        ("user:secret@host", "***@host"),
        ("http://host/a@b", "http://host/a@b"),
        ("http://a\x1b[31m@host/\x00", "http://***@host/?"),
        ("http:\\\\u:p@host", "http:\\\\***@host"),
    ],
)
def test_credentials_never_reach_a_message(url: str, shown: str) -> None:
    assert redacted(url) == shown


def test_a_long_url_is_cut_in_messages() -> None:
    assert len(redacted("http://host/" + "a" * 5000)) == 200


async def test_looking_up_a_name_can_be_broken_off() -> None:
    async def never(host: str, port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await NetworkGuard(resolver=never).resolve("slow.example", 80)
