"""Search through a SearXNG server: the JSON format of its search API."""

from __future__ import annotations

import asyncio

import httpx
from pydantic import BaseModel, Field, ValidationError

from ...cancellation import Cancellation, unless_cancelled
from ...errors import ConfigError, FetchError, SearchError
from ...retrying import RetryTransport
from ..http_body import ACCEPT_ENCODING, BodyTooLarge, BodyUndecodable, read_body
from ..network_guard import GuardedTransport, NetworkGuard, effective_port, redacted
from .protocol import SearchResult, ranked

_MAX_BYTES = 4 * 1024 * 1024


class _Hit(BaseModel):
    url: str = ""
    title: str | None = None
    content: str | None = None


class _Answer(BaseModel):
    results: list[_Hit]
    unresponsive_engines: list[list[str | None]] = Field(default_factory=list)


class SearxngSearch:
    """A SearXNG server at ``base_url``, which may be local: whoever sets it names it.

    ``language`` is a code of SearXNG's ("all", "en", "zh-CN"). Needs ``json`` among the server's
    ``search.formats``.

    Raises:
        ConfigError: ``base_url`` is no http(s) address.
    """

    name = "searxng"

    def __init__(self, base_url: str, *, language: str = "all", seconds: float = 15.0) -> None:
        try:
            url = httpx.URL(base_url.strip().rstrip("/"))
            host = f"[{url.host}]" if ":" in url.host else url.host
            self._guard = NetworkGuard(allow_hosts=[f"{host}:{effective_port(url)}"])
            self._guard.check_url(str(url))
        except (httpx.InvalidURL, FetchError, ConfigError) as error:
            raise ConfigError(
                f"searxng_url {redacted(base_url)!r} cannot be used",
                remedy="set it to the server's address, as in http://127.0.0.1:8888",
            ) from error
        self._base_url = str(url)
        self._language = language
        self._seconds = seconds

    def why_not(self) -> list[str]:
        return []

    async def search(self, query: str, *, limit: int, cancel: Cancellation) -> list[SearchResult]:
        body = await unless_cancelled(self._ask(query), cancel)
        try:
            answer = _Answer.model_validate_json(body)
        except ValidationError as error:
            raise self._error("talks something other than SearXNG's JSON", self._formats) from error
        if not answer.results and answer.unresponsive_engines:
            silent = ", ".join(
                " ".join(part for part in engine if part) for engine in answer.unresponsive_engines
            )
            raise self._error(f"got no answer from its engines ({silent[:200]})")
        hits = [(hit.url, hit.title or "", hit.content or "") for hit in answer.results]
        return ranked(hits, limit)

    _formats = "check searxng_url, and that search.formats in its settings.yml has json"

    async def _ask(self, query: str) -> bytes:
        transport = RetryTransport(
            GuardedTransport(self._guard), attempts=3, longest_wait=self._seconds / 2
        )
        headers = {"Accept": "application/json", "Accept-Encoding": ACCEPT_ENCODING}
        asked = {"q": query, "format": "json", "language": self._language}
        try:
            async with (
                asyncio.timeout(self._seconds),
                httpx.AsyncClient(transport=transport, headers=headers, trust_env=False) as client,
                client.stream("GET", f"{self._base_url}/search", params=asked) as response,
            ):
                self._check(response.status_code)
                return await read_body(response, _MAX_BYTES)
        except (TimeoutError, httpx.TimeoutException) as error:
            raise self._error(f"did not answer within {self._seconds:g} s") from error
        except (BodyTooLarge, BodyUndecodable) as error:
            raise self._error("sent an answer that cannot be read", self._formats) from error
        except (httpx.HTTPError, FetchError) as error:
            reason = str(error) or type(error).__name__
            raise self._error(f"cannot be reached ({reason})", "check that it runs") from error

    def _check(self, status: int) -> None:
        if status == 200:
            return
        if status == 403:
            raise self._error("refuses JSON (status 403)", self._formats)
        if status == 429:
            raise self._error("asks for fewer searches (status 429)", "see its limiter settings")
        raise self._error(f"answers with status {status}", "check searxng_url and its log")

    def _error(self, what: str, remedy: str = "check the server's log") -> SearchError:
        return SearchError(f"searxng at {self._base_url} {what}", remedy=remedy)
