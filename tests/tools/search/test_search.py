"""Search backends against a loopback server, and their fusion."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import ddgs.engines
import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ConfigError, SearchError
from leadline.settings import Settings
from leadline.tools.search import MultiSearch, SearchBackend, SearchResult, search_backends
from leadline.tools.search.ddgs_search import DdgsSearch
from leadline.tools.search.multi_search import same_page_key
from leadline.tools.search.searxng_search import SearxngSearch

if TYPE_CHECKING:
    from tests.tools.conftest import LoopbackSite, Request

SEARXNG = "/search?q=lead+line&format=json&language=all"
ANSWER = {
    "query": "lead line",
    "results": [
        {"url": "https://a.example/", "title": "A\n line", "content": "weighted  rope", "score": 1},
        {"url": "https://a.example/", "title": "A again", "content": ""},
        {"url": "javascript:alert(1)", "title": "x", "content": "x"},
        {"url": "https://b.example/", "title": "B", "content": None, "engines": ["x"]},
        {"url": "https://c.example/", "title": "C", "content": "third"},
    ],
    "unresponsive_engines": [["brave", "timeout"]],
}


async def problem(backend: SearchBackend, query: str = "lead line") -> str:
    with pytest.raises(SearchError) as caught:
        await backend.search(query, limit=5, cancel=Cancellation())
    assert caught.value.remedy
    return caught.value.problem


async def test_searxng(site: LoopbackSite, cancel: Cancellation) -> None:
    site.page(SEARXNG, json.dumps(ANSWER), content_type="application/json")
    backend = SearxngSearch(site.url())
    assert backend.why_not() == []
    assert await backend.search("lead line", limit=2, cancel=cancel) == [
        SearchResult("https://a.example/", "A line", "weighted rope", 1),
        SearchResult("https://b.example/", "B", "", 2),
    ]


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (200, "<html>no json</html>", "talks something other than SearXNG's JSON"),
        (200, '{"answer": 42}', "talks something other than SearXNG's JSON"),
        (200, '{"results": [{"url": 3}]}', "talks something other"),
        (
            200,
            '{"results": [], "unresponsive_engines": [["google", "CAPTCHA"]]}',
            "got no answer from its engines (google CAPTCHA)",
        ),
        (302, "", "answers with status 302"),
        (403, "", "refuses JSON (status 403)"),
        (404, "", "answers with status 404"),
        (429, "", "asks for fewer searches"),
        (500, "", "answers with status 500"),
        (200, " " * 5_000_000, "sent an answer that cannot be read"),
    ],
)
async def test_a_searxng_that_fails(
    site: LoopbackSite, status: int, body: str, reason: str
) -> None:
    site.page(SEARXNG, body, status=status, location="http://127.0.0.1:1/")
    assert reason in await problem(SearxngSearch(site.url()))


async def test_a_searxng_that_finds_nothing(site: LoopbackSite, cancel: Cancellation) -> None:
    site.page(SEARXNG, '{"results": []}')
    assert await SearxngSearch(site.url()).search("lead line", limit=5, cancel=cancel) == []


async def test_a_searxng_that_is_not_there(unused_tcp_port: int) -> None:
    backend = SearxngSearch(f"http://127.0.0.1:{unused_tcp_port}")
    assert "refuses the connection, no server listens there" in await problem(backend)


async def test_a_searxng_that_hangs(site: LoopbackSite) -> None:
    async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(5)

    site.on(SEARXNG, hang)
    assert "did not answer within 0.2 s" in await problem(SearxngSearch(site.url(), seconds=0.2))
    cancel = Cancellation()
    asyncio.get_running_loop().call_later(0.1, cancel.cancel)
    started = time.monotonic()
    with pytest.raises(Cancelled):
        await SearxngSearch(site.url()).search("lead line", limit=5, cancel=cancel)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("url", ["", "searx", "file:///x", "http://", "http://u:secret@h/"])
def test_a_searxng_address_that_cannot_be_used(url: str) -> None:
    with pytest.raises(ConfigError, match="searxng_url") as caught:
        SearxngSearch(url)
    assert "secret" not in str(caught.value)


@pytest.fixture
def mojeek(site: LoopbackSite, monkeypatch: pytest.MonkeyPatch) -> DdgsSearch:
    """The library with one real engine of its own, whose address is the test's site."""
    engine = ddgs.engines.ENGINES["text"]["mojeek"]
    monkeypatch.setattr(engine, "search_url", site.url("/search"))
    return DdgsSearch(engines="mojeek", seconds=1, delay=0)


async def test_ddgs(site: LoopbackSite, mojeek: DdgsSearch, cancel: Cancellation) -> None:
    hits = "".join(
        f"<li><h2><a href='https://{name}.example/'>Lead line {name}</a></h2>"
        f"<p class='s'>the lead line of {name}</p></li>"
        for name in "abc"
    )
    site.page("/search?q=lead+line", f"<html><ul class='results'>{hits}</ul></html>")
    found = await mojeek.search("lead line", limit=2, cancel=cancel)
    assert found[0] == SearchResult("https://a.example/", "Lead line a", "the lead line of a", 1)
    assert [result.rank for result in found] == [1, 2]
    assert parse_qs(urlsplit(site.paths[0]).query) == {"q": ["lead line"]}


async def test_ddgs_finds_nothing(
    site: LoopbackSite, mojeek: DdgsSearch, cancel: Cancellation
) -> None:
    site.page("/search?q=lead+line", "<html><ul class='results'></ul></html>")
    assert await mojeek.search("lead line", limit=2, cancel=cancel) == []


async def test_ddgs_does_not_answer(site: LoopbackSite, mojeek: DdgsSearch) -> None:
    async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(10)

    site.on("/search?q=lead+line", hang)
    assert "ddgs" in await problem(mojeek)


async def test_ddgs_is_stopped(site: LoopbackSite, mojeek: DdgsSearch) -> None:
    async def hang(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(3)

    site.on("/search?q=lead+line", hang)
    cancel = Cancellation()
    asyncio.get_running_loop().call_later(0.1, cancel.cancel)
    started = time.monotonic()
    with pytest.raises(Cancelled):
        await mojeek.search("lead line", limit=2, cancel=cancel)
    assert time.monotonic() - started < 1


async def test_ddgs_without_a_network(mojeek: DdgsSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = ddgs.engines.ENGINES["text"]["mojeek"]
    monkeypatch.setattr(engine, "search_url", "http://mojeek.invalid/search")
    message = await problem(mojeek)
    assert message == "ddgs cannot be reached, the hosts of its engines cannot be found"


async def test_ddgs_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    backend = DdgsSearch()
    assert backend.why_not() == ["the ddgs library is not installed: pip install ddgs"]


def results(*urls: str) -> str:
    return json.dumps({"results": [{"url": url, "title": url, "content": url} for url in urls]})


async def two_servers(
    site: LoopbackSite,
    first: str | int,
    second: str | int,
    clock: Callable[[], float] = time.monotonic,
) -> MultiSearch:
    """Two SearXNG servers (two paths of one site); a number is a status to fail with."""
    for path, answer in (("/1", first), ("/2", second)):
        if isinstance(answer, int):
            site.page(path + SEARXNG, "", status=answer)
        else:
            site.page(path + SEARXNG, answer)
    backends = [SearxngSearch(site.url(path)) for path in ("/1", "/2")]
    return MultiSearch(backends, on_warning=warnings.append, clock=clock)


warnings: list[str] = []


@pytest.fixture(autouse=True)
def no_warnings() -> None:
    warnings.clear()


async def test_rankings_are_fused(site: LoopbackSite, cancel: Cancellation) -> None:
    first = results("https://a.example/", "https://b.example/x?utm_source=y", "https://c.example")
    second = results("http://www.b.example/x/#part", "https://d.example/")
    search = await two_servers(site, first, second)
    found = await search.search("lead line", limit=3, cancel=cancel)
    assert [(result.url, result.rank) for result in found] == [
        ("https://b.example/x?utm_source=y", 1),
        ("https://a.example/", 2),
        ("https://d.example/", 3),
    ]
    assert warnings == []
    assert (search.name, search.why_not()) == ("searxng+searxng", [])


async def test_one_backend_may_fail(site: LoopbackSite, cancel: Cancellation) -> None:
    search = await two_servers(site, 500, results("https://a.example/"))
    found = await search.search("lead line", limit=3, cancel=cancel)
    assert [result.url for result in found] == ["https://a.example/"]
    assert len(warnings) == 1
    assert "/1 answers with status 500" in warnings[0]


async def test_all_backends_fail(site: LoopbackSite) -> None:
    search = await two_servers(site, 500, 403)
    message = await problem(search)
    assert "every search backend failed" in message
    assert "status 500" in message
    assert "refuses JSON" in message


async def test_a_backend_that_keeps_failing_rests(site: LoopbackSite, cancel: Cancellation) -> None:
    now = 0.0
    good = results("https://a.example/")
    search = await two_servers(site, 404, good, clock=lambda: now)
    for _ in range(5):
        assert await search.search("lead line", limit=3, cancel=cancel)
    assert site.paths.count("/1" + SEARXNG) == len(warnings) == 3
    now = 301
    site.page("/1" + SEARXNG, good)
    for _ in range(2):
        await search.search("lead line", limit=3, cancel=cancel)
    assert site.paths.count("/1" + SEARXNG) == 5


async def test_all_backends_may_not_rest(site: LoopbackSite) -> None:
    search = await two_servers(site, 404, 404)
    for _ in range(4):
        assert "every search backend failed" in await problem(search)


async def test_no_backend() -> None:
    search = MultiSearch([], on_warning=warnings.append)
    assert search.why_not() == ["no search backend is set"]
    assert await problem(search) == "no search backend is set"


def test_addresses_of_one_page() -> None:
    keys = {
        same_page_key(url)
        for url in (
            "http://a.example/x?b=1",
            "https://www.a.example/x/?b=1&utm_campaign=z#part",
            "https://a.example/x?fbclid=q&b=1",
        )
    }
    assert len(keys) == 1
    assert same_page_key("https://a.example/x?b=2") not in keys
    assert same_page_key("http://a:b") == "http://a:b"


def test_backends_by_setting() -> None:
    settings = Settings(
        search_backends=("searxng", "ddgs", "searxng"), searxng_url="http://127.0.0.1:8888"
    )
    assert [backend.name for backend in search_backends(settings)] == ["searxng", "ddgs"]
    with pytest.raises(ConfigError, match="has no server"):
        search_backends(Settings(search_backends=("searxng",)))
    with pytest.raises(ConfigError, match="unknown search backend 'altavista'"):
        search_backends(Settings(search_backends=("altavista",)))
