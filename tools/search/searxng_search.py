"""Search through a SearXNG server: the JSON format of its search API."""

from __future__ import annotations

from pydantic import BaseModel, Field

from ...errors import SearchError
from .api_search import ApiRequest, ApiSearch, Hit, try_after
from .protocol import WHOLE_WEB


class SearxngSearch(ApiSearch):
    """A SearXNG server at ``base_url``, https://docs.searxng.org/dev/search_api.html.

    ``language`` is a code of SearXNG's ("all", "en", "zh-CN"). Needs ``json`` among the server's
    ``search.formats``.

    Raises:
        ConfigError: ``base_url`` is no http(s) address.
    """

    name = "searxng"
    description = WHOLE_WEB
    home = ""
    most = 100
    delay = 0.0
    _format = "SearXNG's JSON"
    _formats = "check its address, and that search.formats in its settings.yml has json"

    class _Answer(BaseModel):
        class Result(BaseModel):
            url: str = ""
            title: str | None = None
            content: str | None = None

        results: list[Result]
        unresponsive_engines: list[list[str | None]] = Field(default_factory=list)

    def __init__(self, base_url: str, *, language: str = "all", seconds: float = 15.0) -> None:
        super().__init__(base_url=base_url, seconds=seconds)
        self._language = language

    @property
    def _label(self) -> str:
        return f"searxng at {self._base_url}"

    def _request(self, query: str, limit: int) -> ApiRequest:
        return ApiRequest(
            f"{self._base_url}/search",
            params={"q": query, "format": "json", "language": self._language},
        )

    def _hits(self, body: bytes, request: ApiRequest) -> list[Hit]:
        answer = self._Answer.model_validate_json(body)
        if not answer.results and answer.unresponsive_engines:
            silent = ", ".join(
                " ".join(part for part in engine if part) for engine in answer.unresponsive_engines
            )
            raise self._error(f"got no answer from its engines ({silent[:200]})")
        return [(r.url, r.title or "", r.content or "") for r in answer.results]

    def _refusal(self, status: int, rest: float | None) -> SearchError:
        match status:
            case 403:
                return self._error("refuses JSON (status 403)", self._formats)
            case 429:
                return self._error(
                    "asks for fewer searches (status 429)", f"see its limiter, or {try_after(rest)}"
                )
            case _:
                return self._error(f"answers with status {status}", "check its address and its log")
