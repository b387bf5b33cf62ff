"""Search services in their documented formats, against a loopback server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from leadline.cancellation import Cancellation
from leadline.errors import ConfigError, SearchError
from leadline.keys import find_key, keys_file
from leadline.settings import Settings
from leadline.tools.search import SearchResult, search_backends
from leadline.tools.search.api_search import ApiSearch
from leadline.tools.search.keyed_search import (
    BraveSearch,
    ExaSearch,
    SerperSearch,
    TavilySearch,
)
from leadline.tools.search.reference_search import (
    ArxivSearch,
    CrossrefSearch,
    WikipediaSearch,
)

if TYPE_CHECKING:
    from tests.tools.conftest import LoopbackSite, Request

KEY = "sesame-0123456789"


@dataclass(frozen=True)
class Service:
    """How a service is asked for five results of "lead line", and how it answers."""

    kind: type[ApiSearch]
    target: str
    answer: str
    results: list[SearchResult]
    asked: dict[str, Any] = field(default_factory=dict)
    """Headers and parts of the payload that have to be in the request."""


BRAVE = {
    "type": "search",
    "query": {"original": "lead line"},
    "web": {
        "type": "search",
        "results": [
            {
                "title": "Lead line",
                "url": "https://a.example/",
                "description": "A <strong>lead line</strong> &amp; its marks",
                "profile": {"name": "A"},
            },
            {"title": "B", "url": "javascript:alert(1)"},
            {"title": "C", "url": "https://c.example/", "description": None},
        ],
    },
}
TAVILY = {
    "query": "lead line",
    "answer": None,
    "results": [
        {"title": "Lead line", "url": "https://a.example/", "content": "A rope", "score": 0.9},
        {"title": None, "url": "https://c.example/", "content": None, "score": 0.1},
    ],
    "response_time": 1.1,
}
SERPER = {
    "searchParameters": {"q": "lead line", "type": "search"},
    "organic": [
        {"title": "Lead line", "link": "https://a.example/", "snippet": "A rope", "position": 1},
        {"title": "C", "link": "https://c.example/", "position": 2},
    ],
    "credits": 1,
}
EXA = {
    "requestId": "1",
    "results": [
        {
            "id": "https://a.example/",
            "url": "https://a.example/",
            "title": "Lead line",
            "author": None,
            "highlights": ["A rope", "with marks"],
        },
        {"id": "c", "url": "https://c.example/", "title": None},
    ],
}
WIKIPEDIA = {
    "batchcomplete": True,
    "query": {
        "searchinfo": {"totalhits": 2},
        "search": [
            {
                "ns": 0,
                "title": "Depth sounding",
                "pageid": 1,
                "snippet": 'A <span class="searchmatch">lead</span> &quot;line&quot;',
            },
            {"ns": 0, "title": "C/D?", "pageid": 2, "snippet": ""},
        ],
    },
}
ARXIV = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom">
  <title type="html">ArXiv Query</title>
  <entry>
    <id>http://arxiv.org/abs/2305.00001v1</id>
    <title>On lead
  lines</title>
    <summary>  A rope &amp; a weight. </summary>
    <author><name>A. Sailor</name></author>
  </entry>
  <entry><id>http://arxiv.org/api/errors#x</id><title>Error</title><summary>no</summary></entry>
</feed>"""
CROSSREF = {
    "status": "ok",
    "message-type": "work-list",
    "message": {
        "total-results": 1,
        "items": [
            {
                "DOI": "10.1000/a b",
                "title": ["Lead lines"],
                "abstract": "<jats:p>A rope</jats:p>",
            },
            {"DOI": "10.1000/2"},
        ],
    },
}

SERVICES = [
    Service(
        BraveSearch,
        "/res/v1/web/search?q=lead+line&count=5",
        json.dumps(BRAVE),
        [
            SearchResult("https://a.example/", "Lead line", "A lead line & its marks", 1),
            SearchResult("https://c.example/", "C", "", 2),
        ],
        {"x-subscription-token": KEY},
    ),
    Service(
        TavilySearch,
        "/search",
        json.dumps(TAVILY),
        [
            SearchResult("https://a.example/", "Lead line", "A rope", 1),
            SearchResult("https://c.example/", "", "", 2),
        ],
        {"authorization": f"Bearer {KEY}", "query": "lead line", "max_results": 5},
    ),
    Service(
        SerperSearch,
        "/search",
        json.dumps(SERPER),
        [
            SearchResult("https://a.example/", "Lead line", "A rope", 1),
            SearchResult("https://c.example/", "C", "", 2),
        ],
        {"x-api-key": KEY, "q": "lead line", "num": 5},
    ),
    Service(
        ExaSearch,
        "/search",
        json.dumps(EXA),
        [
            SearchResult("https://a.example/", "Lead line", "A rope … with marks", 1),
            SearchResult("https://c.example/", "", "", 2),
        ],
        {"x-api-key": KEY, "query": "lead line", "numResults": 5},
    ),
    Service(
        WikipediaSearch,
        "/w/api.php?action=query&list=search&srsearch=lead+line&srlimit=5&format=json"
        "&formatversion=2",
        json.dumps(WIKIPEDIA),
        [
            SearchResult("BASE/wiki/Depth_sounding", "Depth sounding", 'A lead "line"', 1),
            SearchResult("BASE/wiki/C/D%3F", "C/D?", "", 2),
        ],
    ),
    Service(
        ArxivSearch,
        "/api/query?search_query=all%3Alead+OR+all%3Aline&start=0&max_results=5&sortBy=relevance",
        ARXIV,
        [
            SearchResult(
                "https://arxiv.org/abs/2305.00001v1", "On lead lines", "A rope & a weight.", 1
            )
        ],
        {"accept": "application/atom+xml"},
    ),
    Service(
        CrossrefSearch,
        "/works?query=lead+line&rows=5&select=DOI%2Ctitle%2Cabstract&mailto=a%40b.example",
        json.dumps(CROSSREF),
        [
            SearchResult("https://doi.org/10.1000/a%20b", "Lead lines", "A rope", 1),
            SearchResult("https://doi.org/10.1000/2", "", "", 2),
        ],
        {"user-agent": "Leadline/0.1.0 (mailto:a@b.example)"},
    ),
]
each_service = pytest.mark.parametrize("service", SERVICES, ids=lambda s: s.kind.name)


def backend(service: Service, site: LoopbackSite, seconds: float = 5.0) -> ApiSearch:
    return service.kind(
        key=SecretStr(KEY), base_url=site.url(""), contact="a@b.example", seconds=seconds
    )


async def problem(search: ApiSearch) -> str:
    with pytest.raises(SearchError) as caught:
        await search.search("lead line", limit=5, cancel=Cancellation())
    assert caught.value.remedy
    assert KEY not in str(caught.value)
    return caught.value.problem


@each_service
async def test_the_documented_format(
    site: LoopbackSite, cancel: Cancellation, service: Service
) -> None:
    site.page(service.target, service.answer, content_type="application/json")
    found = await backend(service, site).search("lead line", limit=5, cancel=cancel)
    expected = [r.url.replace("BASE", site.url("")) for r in service.results]
    assert [result.url for result in found] == expected
    assert [(r.title, r.snippet, r.rank) for r in found] == [
        (r.title, r.snippet, r.rank) for r in service.results
    ]
    [request] = site.requests
    sent = {**request.headers, **json.loads(request.body or b"{}")}
    assert service.asked.items() <= sent.items()
    assert request.method == ("POST" if request.body else "GET")


@each_service
@pytest.mark.parametrize(
    "answer",
    ["", "<html>no</html>", "[]", "null", '{"results": 7}', '{"message": {}}', "{" * 99_999],
)
async def test_another_format(site: LoopbackSite, service: Service, answer: str) -> None:
    site.page(service.target, answer)
    assert "talks something other than" in await problem(backend(service, site))


@each_service
@pytest.mark.parametrize(
    ("status", "reason"),
    [(429, "asks for fewer searches"), (500, "answers with status 500"), (302, "status 302")],
)
async def test_statuses(site: LoopbackSite, service: Service, status: int, reason: str) -> None:
    site.page(service.target, "", status=status, location="http://127.0.0.1:1/")
    assert reason in await problem(backend(service, site))


@pytest.mark.parametrize("service", SERVICES[:4], ids=lambda s: s.kind.name)
async def test_a_key_that_is_refused(site: LoopbackSite, service: Service) -> None:
    site.page(service.target, '{"error": "no"}', status=401)
    assert "refuses its key" in await problem(backend(service, site))


@pytest.mark.parametrize("service", SERVICES[:4], ids=lambda s: s.kind.name)
async def test_a_key_that_is_missing(site: LoopbackSite, service: Service) -> None:
    search = service.kind(base_url=site.url(""))
    [reason] = search.why_not()
    assert f"LEADLINE_{service.kind.name.upper()}_KEY" in reason
    assert "cannot search" in await problem(search)
    assert site.requests == []


@each_service
async def test_a_service_that_comes_back(
    site: LoopbackSite, cancel: Cancellation, service: Service
) -> None:
    site.page(service.target, service.answer)
    good = site.handler(service.target)

    async def busy_once(request: Request, writer: Any) -> None:
        if len(site.requests) == 1:
            writer.write(b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")
        else:
            await good(request, writer)

    site.on(service.target, busy_once)
    found = await backend(service, site).search("lead line", limit=5, cancel=cancel)
    assert len(found) == len(service.results)
    assert len(site.requests) == 2


@each_service
async def test_a_service_that_asks_for_patience(site: LoopbackSite, service: Service) -> None:
    site.page(service.target, "", status=429, retry_after="40")
    with pytest.raises(SearchError) as caught:
        await backend(service, site).search("lead line", limit=5, cancel=Cancellation())
    assert "try again in 40 s, as it asks" in caught.value.remedy
    assert len(site.requests) == 1


async def test_requests_are_apart(site: LoopbackSite, cancel: Cancellation) -> None:
    class Slow(WikipediaSearch):
        delay = 0.3

    site.page(SERVICES[4].target, SERVICES[4].answer)
    search = Slow(base_url=site.url(""))
    started = time.monotonic()
    for _ in range(3):
        await search.search("lead line", limit=5, cancel=cancel)
    assert time.monotonic() - started >= 0.6


@each_service
def test_the_services_own_addresses_are_guarded(service: Service) -> None:
    """Only an address that a user names may be local."""
    assert service.kind.home.startswith("https://")
    with pytest.raises(ConfigError, match=service.kind.name):
        service.kind(base_url="file:///etc/passwd")


async def test_a_feed_cannot_read_files(site: LoopbackSite, cancel: Cancellation) -> None:
    entity = '<!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    feed = ARXIV.replace("<feed", f"{entity}<feed").replace("A rope", "&x;")
    site.page(SERVICES[5].target, feed)
    found = await backend(SERVICES[5], site).search("lead line", limit=5, cancel=cancel)
    assert all("root:" not in result.snippet for result in found)


@pytest.mark.parametrize(
    ("query", "host"),
    [("测深锤是什么", "zh"), ("測深錘とは何か", "ja"), ("수심은 무엇인가", "ko"), ("lead", "en")],
)
async def test_the_wikipedia_of_the_querys_script(query: str, host: str) -> None:
    request = WikipediaSearch()._request(query, 5)
    assert request.url == f"https://{host}.wikipedia.org/w/api.php"


def write_keys(text: str, mode: int = 0o600) -> Path:
    path = keys_file()
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_where_keys_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_key("brave", "BRAVE_API_KEY") is None
    write_keys('brave = "filed"\n')
    cases: list[tuple[Callable[[], None], str]] = [
        (lambda: None, "filed"),
        (lambda: monkeypatch.setenv("BRAVE_API_KEY", "customary"), "customary"),
        (lambda: monkeypatch.setenv("LEADLINE_BRAVE_KEY", "own"), "own"),
    ]
    for arrange, expected in cases:
        arrange()
        key = find_key("brave", "BRAVE_API_KEY")
        assert key is not None
        assert key.get_secret_value() == expected
        assert expected not in repr(key)


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        ('brave = "x"', 0o644, "others can read the keys"),
        ('brave = "x"', 0o640, "others can read the keys"),
        ("brave = sesame", 0o600, "not valid TOML"),
    ],
)
def test_a_file_of_keys_that_cannot_be_used(text: str, mode: int, reason: str) -> None:
    write_keys(text, mode)
    with pytest.raises(ConfigError, match=reason) as caught:
        find_key("brave")
    assert "sesame" not in str(caught.value)


def test_services_by_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAVILY_API_KEY", KEY)
    settings = Settings(
        search_backends=("brave", "tavily", "arxiv"),
        search_urls={"brave": "http://127.0.0.1:8080"},
    )
    brave, tavily, arxiv = search_backends(settings)
    assert "LEADLINE_BRAVE_KEY" in brave.why_not()[0]
    assert tavily.why_not() == arxiv.why_not() == []
    with pytest.raises(ConfigError, match="of exa cannot be used"):
        search_backends(Settings(search_backends=("exa",), search_urls={"exa": "x"}))
