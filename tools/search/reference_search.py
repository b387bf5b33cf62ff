"""Open reference services: Wikipedia, arXiv, Crossref."""

from __future__ import annotations

import re
from urllib.parse import quote

from lxml import etree
from pydantic import BaseModel, Field

from ..extraction.document import language_by_script
from .api_search import ApiRequest, ApiSearch, Hit

_ATOM = "{http://www.w3.org/2005/Atom}"


class WikipediaSearch(ApiSearch):
    """Full-text search of a Wikipedia, https://www.mediawiki.org/wiki/API:Search.

    The edition is English, or the one of the query's script (Chinese, Japanese, Korean).
    """

    name = "wikipedia"
    description = (
        "Encyclopedia articles: who somebody was, what something is, history, geography, "
        "countries, cities, people, species, wars, works of art, definitions, established facts."
    )
    home = "https://en.wikipedia.org"
    most = 50

    class _Answer(BaseModel):
        class Query(BaseModel):
            class Result(BaseModel):
                title: str
                snippet: str = ""

            search: list[Result]

        query: Query

    def _request(self, query: str, limit: int) -> ApiRequest:
        return ApiRequest(
            f"{self._edition(query)}/w/api.php",
            params={
                "action": "query",
                "list": "search",
                "srsearch": query[:300],
                "srlimit": str(limit),
                "format": "json",
                "formatversion": "2",
            },
        )

    def _edition(self, query: str) -> str:
        language = language_by_script(query)
        if language is None or self._base_url != self.home:
            return self._base_url
        return self.home.replace("//en.", f"//{language}.")

    def _hits(self, body: bytes, request: ApiRequest) -> list[Hit]:
        edition = request.url.removesuffix("/w/api.php")
        return [
            (f"{edition}/wiki/{quote(r.title.replace(' ', '_'))}", r.title, r.snippet)
            for r in self._Answer.model_validate_json(body).query.search
        ]


class ArxivSearch(ApiSearch):
    """arXiv's API, https://info.arxiv.org/help/api/user-manual.html; an Atom feed.

    A query's words are joined by OR: arXiv ranks what has most of them first, and finds nothing
    for a whole question joined by AND.
    """

    name = "arxiv"
    description = (
        "Preprints of research papers in computer science, machine learning, physics, mathematics "
        "and statistics: methods, models, algorithms, proofs, experiments, benchmarks, results."
    )
    home = "https://export.arxiv.org"
    most = 100
    delay = 3.0  # https://info.arxiv.org/help/api/tou.html

    def _request(self, query: str, limit: int) -> ApiRequest:
        words = [word for word in re.findall(r"\w+", query) if len(word) > 2 or not word.isascii()]
        return ApiRequest(
            f"{self._base_url}/api/query",
            params={
                "search_query": " OR ".join(f"all:{word}" for word in words[:30]),
                "start": "0",
                "max_results": str(limit),
                "sortBy": "relevance",
            },
            headers={"Accept": "application/atom+xml"},
        )

    def _hits(self, body: bytes, request: ApiRequest) -> list[Hit]:
        parser = etree.XMLParser(
            resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        try:
            feed = etree.fromstring(body, parser)
        except etree.XMLSyntaxError as error:
            raise ValueError("no XML") from error
        if feed.tag != f"{_ATOM}feed":
            raise ValueError("no Atom feed")
        hits = []
        for entry in feed.iterchildren(f"{_ATOM}entry"):
            url, title, summary = (
                entry.findtext(f"{_ATOM}{tag}") or "" for tag in ("id", "title", "summary")
            )
            if "/abs/" in url:  # errors are entries, too
                hits.append((url.strip().replace("http://", "https://", 1), title, summary))
        return hits


class CrossrefSearch(ApiSearch):
    """Crossref's API of scholarly works, https://api.crossref.org; results are DOIs."""

    name = "crossref"
    description = (
        "Bibliographic records of published scholarly works in every field: DOI, journal article, "
        "authors, title, journal, volume, publisher, year of publication, citations."
    )
    home = "https://api.crossref.org"
    most = 100
    delay = 1.0

    class _Answer(BaseModel):
        class Message(BaseModel):
            class Item(BaseModel):
                doi: str = Field(alias="DOI")
                title: list[str] = Field(default_factory=list)
                abstract: str | None = None

            items: list[Item]

        message: Message

    def _request(self, query: str, limit: int) -> ApiRequest:
        params = {"query": query, "rows": str(limit), "select": "DOI,title,abstract"}
        if self._contact:
            params["mailto"] = self._contact
        return ApiRequest(f"{self._base_url}/works", params=params)

    def _hits(self, body: bytes, request: ApiRequest) -> list[Hit]:
        return [
            (f"https://doi.org/{quote(item.doi)}", " ".join(item.title), item.abstract or "")
            for item in self._Answer.model_validate_json(body).message.items
        ]
