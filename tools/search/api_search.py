"""Search services with an HTTP API: asked politely, within bounds, their answers validated."""

from __future__ import annotations

import asyncio
import html
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import httpx
from pydantic import SecretStr

from ... import __version__
from ...cancellation import Cancellation, unless_cancelled
from ...errors import ConfigError, FetchError, SearchError
from ...keys import missing_key
from ...retrying import RetryTransport, retry_after
from ..fetch_failures import connection_failure
from ..host_slots import HostSlots
from ..http_body import ACCEPT_ENCODING, BodyTooLarge, BodyUndecodable, read_body
from ..network_guard import GuardedTransport, NetworkGuard, effective_port, redacted
from ..robots import PRODUCT_TOKEN
from .protocol import SearchResult, ranked

_MAX_BYTES = 4 * 1024 * 1024
_ATTEMPTS = 3
_TAG = re.compile(r"<[^<>]*>")
_OR_OTHERS = "or set other search_backends"

Hit = tuple[str, str, str]
"""URL, title, snippet."""


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request to a service: POST with a ``payload``, GET without."""

    url: str
    params: Mapping[str, str] = field(default_factory=dict)
    payload: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


class ApiSearch(ABC):
    """A backend that asks one service.

    ``base_url`` replaces the service's own address and may be local: whoever sets it names it.
    ``contact``, a mail address, is told to services that ask for one. Requests start ``delay``
    seconds apart; a search takes at most ``seconds``.

    Raises:
        ConfigError: ``base_url`` is no http(s) address.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    home: ClassVar[str]
    """The service's own address."""
    most: ClassVar[int]
    """Results that it gives at most."""
    delay: ClassVar[float] = 0.2
    needs_key: ClassVar[bool] = False

    def __init__(
        self,
        *,
        key: SecretStr | None = None,
        base_url: str | None = None,
        contact: str | None = None,
        seconds: float = 15.0,
    ) -> None:
        self._key = key
        self._base_url, self._guard = named_address(self.name, base_url or self.home, base_url)
        self._agent = f"{PRODUCT_TOKEN}/{__version__}"
        if contact:
            self._agent += f" (mailto:{contact})"
        self._contact = contact
        self._seconds = seconds
        self._turns = HostSlots(total=1, per_host=1, delay=self.delay)

    @abstractmethod
    def _request(self, query: str, limit: int) -> ApiRequest:
        """What to ask for at most ``limit`` results."""

    @abstractmethod
    def _hits(self, body: bytes, request: ApiRequest) -> list[Hit]:
        """The hits in the answer to ``request``; ValueError if it is of another format."""

    def why_not(self) -> list[str]:
        return [missing_key(self.name)] if self.needs_key and self._key is None else []

    async def search(self, query: str, *, limit: int, cancel: Cancellation) -> list[SearchResult]:
        for reason in self.why_not():
            raise SearchError(f"{self._label} cannot search", remedy=reason)
        request = self._request(query, min(limit, self.most))
        body = await unless_cancelled(self._ask(request), cancel)
        try:
            hits = self._hits(body, request)
        except ValueError as error:  # pydantic's is one
            raise self._error(f"talks something other than {self._format}") from error
        return ranked([(url, _plain(title), _plain(text)) for url, title, text in hits], limit)

    @property
    def _label(self) -> str:
        """What errors call the service."""
        return self.name

    _format = "its documented format"

    def _refusal(self, status: int, rest: float | None) -> SearchError:
        """What a ``status`` other than 200 means; ``rest`` is its Retry-After, in seconds."""
        match status:
            case 401 | 402 | 403 | 422 if self.needs_key:
                return self._error(
                    f"refuses its key (status {status})",
                    "check the key, and what is left of its quota",
                )
            case 429 | 432 | 433:
                return self._error(f"asks for fewer searches (status {status})", try_after(rest))
            case _:
                return self._error(f"answers with status {status}", try_after(rest))

    def _error(self, what: str, remedy: str = f"try again later, {_OR_OTHERS}") -> SearchError:
        return SearchError(f"{self._label} {what}", remedy=remedy)

    async def _ask(self, request: ApiRequest) -> bytes:
        async with self._turns.slot(self.name):
            return await self._answer(request)

    async def _answer(self, request: ApiRequest) -> bytes:
        transport = RetryTransport(
            GuardedTransport(self._guard),
            attempts=_ATTEMPTS,
            longest_wait=self._seconds / _ATTEMPTS,  # so that the time is not up before the last
        )
        headers = {
            "User-Agent": self._agent,
            "Accept": "application/json",
            "Accept-Encoding": ACCEPT_ENCODING,
            **request.headers,
        }
        method = "GET" if request.payload is None else "POST"
        try:
            async with (
                asyncio.timeout(self._seconds),
                httpx.AsyncClient(transport=transport, headers=headers, trust_env=False) as client,
                client.stream(
                    method, request.url, params=request.params or None, json=request.payload
                ) as response,
            ):
                if response.status_code != 200:
                    raise self._refusal(response.status_code, retry_after(response))
                return await read_body(response, _MAX_BYTES)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise self._error(f"did not answer within {self._seconds:g} s") from error
        except (BodyTooLarge, BodyUndecodable) as error:
            raise self._error("sent an answer that cannot be read") from error
        except httpx.HTTPError as error:
            raise self._error(connection_failure(error)) from error
        except FetchError as error:
            raise self._error(f"cannot be reached, {error.problem}", error.remedy) from error


def named_address(
    name: str, base_url: str, named: str | None, *, setting: str = ""
) -> tuple[str, NetworkGuard]:
    """``base_url`` without a final slash, and a guard that lets its host be local if ``named``.

    Raises:
        ConfigError: it is no http(s) address; ``setting`` is where it is corrected.
    """
    try:
        url = httpx.URL(base_url.strip().rstrip("/"))
        host = f"[{url.host}]" if ":" in url.host else url.host
        guard = NetworkGuard(allow_hosts=[f"{host}:{effective_port(url)}"] if named else [])
        guard.check_url(str(url))
    except (httpx.InvalidURL, FetchError, ConfigError) as error:
        raise ConfigError(
            f"the address {redacted(base_url)!r} of {name} cannot be used",
            remedy=f"set {setting or f'{name}_url or search_urls'} to its address, as in "
            "http://127.0.0.1:8888",
        ) from error
    return str(url), guard


def try_after(rest: float | None) -> str:
    """The remedy for a service that asks to be left alone for ``rest`` seconds, if it says so."""
    when = f"in {rest:,.0f} s, as it asks" if rest else "later"
    return f"try again {when}, {_OR_OTHERS}"


def _plain(text: str) -> str:
    """Titles and snippets come with highlighting tags and character references."""
    return html.unescape(_TAG.sub("", text))
