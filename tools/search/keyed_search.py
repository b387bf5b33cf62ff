"""Web search services that want a key: Brave, Tavily, Serper, Exa."""

from __future__ import annotations

from pydantic import BaseModel, Field

from .api_search import ApiRequest, ApiSearch, Hit
from .protocol import WHOLE_WEB


class _KeyedSearch(ApiSearch):
    needs_key = True
    description = WHOLE_WEB

    @property
    def _secret(self) -> str:
        return self._key.get_secret_value() if self._key else ""


class BraveSearch(_KeyedSearch):
    """Brave's web search API, https://api-dashboard.search.brave.com/api-reference/web/search."""

    name = "brave"
    home = "https://api.search.brave.com"
    most = 20
    delay = 1.1  # its smallest plan allows one request a second
    _longest_query = 400

    class _Answer(BaseModel):
        class Web(BaseModel):
            class Result(BaseModel):
                url: str
                title: str = ""
                description: str | None = None

            results: list[Result] = Field(default_factory=list)

        type: str
        web: Web | None = None

    def _request(self, query: str, limit: int) -> ApiRequest:
        return ApiRequest(
            f"{self._base_url}/res/v1/web/search",
            params={"q": query[: self._longest_query], "count": str(limit)},
            headers={"X-Subscription-Token": self._secret},
        )

    def _hits(self, body: bytes, request: ApiRequest) -> list[Hit]:
        web = self._Answer.model_validate_json(body).web
        return [(r.url, r.title, r.description or "") for r in web.results] if web else []


class TavilySearch(_KeyedSearch):
    """Tavily's search API, https://docs.tavily.com/documentation/api-reference/endpoint/search."""

    name = "tavily"
    home = "https://api.tavily.com"
    most = 20

    class _Answer(BaseModel):
        class Result(BaseModel):
            url: str
            title: str | None = None
            content: str | None = None

        results: list[Result]

    def _request(self, query: str, limit: int) -> ApiRequest:
        return ApiRequest(
            f"{self._base_url}/search",
            payload={"query": query, "max_results": limit, "search_depth": "basic"},
            headers={"Authorization": f"Bearer {self._secret}"},
        )

    def _hits(self, body: bytes, request: ApiRequest) -> list[Hit]:
        results = self._Answer.model_validate_json(body).results
        return [(r.url, r.title or "", r.content or "") for r in results]


class SerperSearch(_KeyedSearch):
    """Serper's Google search API, https://serper.dev."""

    name = "serper"
    home = "https://google.serper.dev"
    most = 100

    class _Answer(BaseModel):
        class Result(BaseModel):
            link: str
            title: str = ""
            snippet: str | None = None

        organic: list[Result] = Field(default_factory=list)
        search_parameters: dict[str, object] = Field(alias="searchParameters")

    def _request(self, query: str, limit: int) -> ApiRequest:
        return ApiRequest(
            f"{self._base_url}/search",
            payload={"q": query, "num": limit},
            headers={"X-API-KEY": self._secret},
        )

    def _hits(self, body: bytes, request: ApiRequest) -> list[Hit]:
        results = self._Answer.model_validate_json(body).organic
        return [(r.link, r.title, r.snippet or "") for r in results]


class ExaSearch(_KeyedSearch):
    """Exa's search API, https://exa.ai/docs/reference/search."""

    name = "exa"
    home = "https://api.exa.ai"
    most = 100

    class _Answer(BaseModel):
        class Result(BaseModel):
            url: str
            title: str | None = None
            highlights: list[str] = Field(default_factory=list)

        results: list[Result]

    def _request(self, query: str, limit: int) -> ApiRequest:
        return ApiRequest(
            f"{self._base_url}/search",
            payload={
                "query": query,
                "numResults": limit,
                "type": "auto",
                "contents": {"highlights": True},
            },
            headers={"x-api-key": self._secret},
        )

    def _hits(self, body: bytes, request: ApiRequest) -> list[Hit]:
        results = self._Answer.model_validate_json(body).results
        return [(r.url, r.title or "", " … ".join(r.highlights)) for r in results]
