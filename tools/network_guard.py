"""Keeps requests for pages away from this machine and its local network.

A page's address comes from strangers: search engines, links, redirects. Before a connection is
made, the address has to be of a form that cannot be misread, its host is resolved once, every
resolved address has to be public, and the connection goes to one of exactly those addresses.
TLS and the Host header keep the name. A name that resolves differently a moment later (DNS
rebinding) therefore changes nothing.

Proxies of the environment are ignored: a proxy resolves names itself, out of this guard's sight.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeAlias

import httpcore
import httpx

from ..errors import ConfigError, FetchError
from .daemon_thread import in_daemon_thread

IPAddress: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""Host name and port → IP addresses as text. Raises OSError when the name cannot be resolved."""

_ALLOW_REMEDY = "a named local host is let through by --allow-host HOST[:PORT] or allow_hosts"
_CHECK = "check the address of the page"
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
_GLOBAL_UNICAST_V6 = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Special-purpose blocks (IANA registries) that ipaddress.is_global lets pass on some Pythons.
_NOT_PUBLIC = [
    ipaddress.ip_network(block)
    for block in ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20")
]
# With several addresses, one that swallows packets must not use up the whole timeout.
_FIRST_ATTEMPTS_SECONDS = 2.0


class NetworkGuard:
    """Says which URLs may be asked for and which addresses may be connected to.

    ``allow_hosts`` names hosts ("intranet.example", "127.0.0.1:8080", "[::1]:8080") that may be
    local; with a port only that port. ``resolver`` is replaced in tests.
    """

    def __init__(
        self, *, allow_hosts: Iterable[str] = (), resolver: Resolver | None = None
    ) -> None:
        self._allowed = {_host_and_port(entry) for entry in allow_hosts}
        self._resolver = resolver or resolve_by_system

    def check_url(self, url: str) -> httpx.URL:
        """``url`` parsed, if its form is one that may be asked for; the fragment is dropped.

        Raises:
            FetchError: another scheme than http(s), credentials, a host that is malformed, a
                disguised number, or a literal address that is not public.
        """
        url = url.strip()
        shown = redacted(url)
        if "\\" in url:
            # Browsers read it as a slash, RFC 3986 does not.
            raise FetchError(f"refused {shown}, it has a backslash", remedy="write it as %5C")
        try:
            parsed = httpx.URL(url)
        except (httpx.InvalidURL, ValueError) as error:
            raise FetchError(
                f"refused {redacted(url.rpartition('@')[2])}, not a valid URL",
                remedy="give a full http(s) address",
            ) from error
        if parsed.scheme not in ("http", "https"):
            raise FetchError(
                f"refused {shown}, its scheme is not http or https",
                remedy="files and folders are read through a corpus",
            )
        if parsed.userinfo or "@" in parsed.netloc.decode("ascii", "replace"):
            raise FetchError(
                f"refused {shown}, it carries credentials", remedy="leave out the part before @"
            )
        if parsed.port is not None and not 0 < parsed.port < 65536:
            raise FetchError(f"refused {shown}, no server has port {parsed.port}", remedy=_CHECK)
        host, port = _canonical_host(parsed, shown), effective_port(parsed)
        if not self.allows(host, port) and (address := _literal(host)):
            _check_public(address, shown)
        return parsed.copy_with(fragment=None)

    def allows(self, host: str, port: int) -> bool:
        """Whether the setting lets ``host`` be local."""
        host = host.lower().strip("[]").rstrip(".")
        return (host, port) in self._allowed or (host, None) in self._allowed

    async def resolve(self, host: str, port: int) -> list[str]:
        """The addresses of ``host``, all of them checked.

        Raises:
            FetchError: the name cannot be resolved, or any of its addresses is not public.
        """
        host = host.strip("[]")
        if literal := _literal(host.rstrip(".")):
            found = [str(literal)]
        else:
            try:
                found = await self._resolver(host, port)
            except (OSError, UnicodeError) as error:
                raise FetchError(
                    f"cannot find the host {host} ({_reason(error)})",
                    remedy="check the address and the network's name service",
                ) from error
        if not found:
            raise FetchError(f"the host {host} has no address", remedy=_CHECK)
        if not self.allows(host, port):
            for address in found:
                # A zone ("fe80::1%eth0") only ever belongs to a local address.
                _check_public(ipaddress.ip_address(address.partition("%")[0]), host)
        return found


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections to checked addresses only, for httpcore's pool.

    ``connector`` makes the actual connection; it is only ever given IP addresses.
    """

    def __init__(
        self, guard: NetworkGuard, connector: httpcore.AsyncNetworkBackend | None = None
    ) -> None:
        self._guard = guard
        self._connector = connector or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        *first, last = await self._guard.resolve(host, port)
        for address in first:
            patience = _FIRST_ATTEMPTS_SECONDS
            if timeout is not None:
                patience = min(patience, timeout)
            try:
                return await self._connector.connect_tcp(
                    address, port, patience, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._connector.connect_tcp(last, port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise FetchError(f"refused {path}, a socket of this machine", remedy=_CHECK)

    async def sleep(self, seconds: float) -> None:
        await self._connector.sleep(seconds)


class GuardedTransport(httpx.AsyncHTTPTransport):
    """httpx's transport (HTTP/1.1 and 2) over a :class:`GuardedBackend`.

    ``ssl_context`` defaults to the bundled authorities, or those of ``SSL_CERT_FILE``.
    """

    def __init__(
        self,
        guard: NetworkGuard,
        *,
        ssl_context: ssl.SSLContext | None = None,
        connector: httpcore.AsyncNetworkBackend | None = None,
        max_connections: int = 64,
    ) -> None:
        context = ssl_context or httpx.create_ssl_context()
        super().__init__(verify=context, trust_env=False)
        self._guard = guard
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context,
            max_connections=max_connections,
            max_keepalive_connections=max_connections // 2,
            keepalive_expiry=15.0,
            http1=True,
            http2=True,
            network_backend=GuardedBackend(guard, connector),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._guard.check_url(str(request.url))
        return await super().handle_async_request(request)


async def resolve_by_system(host: str, port: int) -> list[str]:
    """The addresses that the operating system gives for ``host``, in its order of preference."""

    def look_up() -> list[str]:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    return await in_daemon_thread(look_up, name=f"resolve {host}")


def is_public(address: IPAddress) -> bool:
    """Whether ``address`` belongs to the public Internet.

    IPv4 addresses inside IPv6 ones (mapped, NAT64, 6to4) count as what they stand for.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if embedded := _embedded_v4(address):
            return is_public(embedded)
        if address not in _GLOBAL_UNICAST_V6:
            return False
    special = (
        address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or any(address.version == block.version and address in block for block in _NOT_PUBLIC)
    )
    return address.is_global and not special


def effective_port(url: httpx.URL) -> int:
    """The port of an http(s) URL, its scheme's own if none is written."""
    return url.port or (443 if url.scheme == "https" else 80)


def redacted(url: str) -> str:
    """``url`` for messages: without credentials, unprintable characters, and undue length."""
    shown = re.sub(r"^([^/?#]*[/\\]{2})?[^/?#]*@", r"\1***@", url)
    shown = "".join(c if c.isprintable() else "?" for c in shown)
    return shown if len(shown) <= 200 else f"{shown[:199]}…"


def _check_public(address: IPAddress, named: str) -> None:
    if not is_public(address):
        raise FetchError(
            f"refused {named}, {address} is not a public address", remedy=_ALLOW_REMEDY
        )


def _embedded_v4(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _canonical_host(url: httpx.URL, shown: str) -> str:
    """The host in ASCII (IDNA), lower case, no final dot; refused if it can be read two ways."""
    host = url.raw_host.decode("ascii").lower().removesuffix(".")
    if ":" in host or _literal(host):
        if "%" in host or not _literal(host):
            raise FetchError(
                f"refused {shown}, its IPv6 address has a zone or is malformed", remedy=_CHECK
            )
        return host
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        # inet_aton reads "0x7f.1", "017700000001" and "2130706433" as 127.0.0.1.
        raise FetchError(
            f"refused {shown}, its host is an IP address in disguise",
            remedy="write it as four decimal numbers",
        )
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise FetchError(f"refused {shown}, its host name is malformed", remedy=_CHECK)
    return host


def _literal(host: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _host_and_port(entry: str) -> tuple[str, int | None]:
    """("host", port or None) of an ``allow_hosts`` entry.

    Raises:
        ConfigError: it is not HOST, HOST:PORT or [IPV6]:PORT.
    """
    text = entry.strip().lower()
    if _literal(text):
        return text, None
    match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^\s:/@\[\]]+)(?::(\d{1,5}))?", text)
    if not match:
        raise ConfigError(
            f"cannot read the allowed host {redacted(entry)!r}",
            remedy="write HOST, HOST:PORT or [IPV6]:PORT",
        )
    port = match[2]
    return match[1].strip("[]").rstrip("."), int(port) if port else None


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or "no reason"
