"""RFC 9309: what each answer for a robots.txt means, and for how long."""

from __future__ import annotations

import asyncio

import pytest

from leadline.errors import FetchError
from leadline.tools.robots import RobotsCache, RobotsResponse

ORIGIN = "https://site.example"
PAGE = f"{ORIGIN}/a/page?x=1"


class Site:
    """Answers for robots.txt, and a clock that the test moves."""

    def __init__(self, status: int = 200, body: str = "") -> None:
        self.answer: RobotsResponse | FetchError = RobotsResponse(status, body.encode())
        self.asked: list[str] = []
        self.now = 0.0
        self.cache = RobotsCache(self.ask, clock=lambda: self.now)

    async def ask(self, url: str) -> RobotsResponse:
        self.asked.append(url)
        await asyncio.sleep(0)
        if isinstance(self.answer, FetchError):
            raise self.answer
        return self.answer


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        ("", True),
        ("User-agent: *\nDisallow: /", False),
        ("User-agent: *\nDisallow:", True),
        ("User-agent: *\nDisallow: /a/", False),
        ("User-agent: *\nDisallow: /a/\nAllow: /a/page", True),
        ("User-agent: *\nDisallow: /*?x=", False),
        ("User-agent: *\nDisallow: /a/page$", True),
        ("User-agent: *\nDisallow: /\n\nUser-agent: Leadline\nAllow: /", True),
        ("User-agent: leadline\nDisallow: /", False),
        ("User-agent: otherbot\nDisallow: /", True),
        ("\ufeffUser-agent: *\r\nDisallow: /\r\n", False),
        ("<html>not found</html>", True),
        ("\0\0\udcff\n" * 50, True),
    ],
)
async def test_rules(rules: str, allowed: bool) -> None:
    site = Site()
    site.answer = RobotsResponse(200, rules.encode("utf-8", "surrogateescape"))
    verdict = await site.cache.verdict(ORIGIN, PAGE)
    assert verdict.allowed is allowed
    assert bool(verdict.reason) is not allowed


@pytest.mark.parametrize(
    ("status", "allowed"),
    [(200, False), (204, False), (404, True), (401, True), (403, True), (429, False), (503, False)],
)
async def test_statuses(status: int, allowed: bool) -> None:
    site = Site(status, "User-agent: *\nDisallow: /")
    assert (await site.cache.verdict(ORIGIN, PAGE)).allowed is allowed


async def test_asked_once_a_day() -> None:
    site = Site()
    verdicts = await asyncio.gather(*(site.cache.verdict(ORIGIN, PAGE) for _ in range(20)))
    assert all(verdict.allowed for verdict in verdicts)
    assert site.asked == [f"{ORIGIN}/robots.txt"]
    site.now = 23 * 3600
    await site.cache.verdict(ORIGIN, PAGE)
    assert len(site.asked) == 1
    site.now = 25 * 3600
    await site.cache.verdict(ORIGIN, PAGE)
    assert len(site.asked) == 2
    await site.cache.verdict("http://site.example", PAGE)
    assert len(site.asked) == 3


async def test_unreachable_forbids_for_a_while() -> None:
    site = Site()
    site.answer = FetchError("cannot find the host site.example", remedy="check it")
    with pytest.raises(FetchError, match="cannot find the host"):
        await site.cache.verdict(ORIGIN, PAGE)
    verdict = await site.cache.verdict(ORIGIN, PAGE)
    assert not verdict.allowed
    assert "cannot find the host" in verdict.reason
    assert len(site.asked) == 1
    site.answer = RobotsResponse(404, b"")
    site.now = 3600
    assert (await site.cache.verdict(ORIGIN, PAGE)).allowed


@pytest.mark.parametrize(("asked", "kept"), [("3", 3.0), ("86400", 10.0), ("x", 0.0)])
async def test_crawl_delay_is_bounded(asked: str, kept: float) -> None:
    site = Site(200, f"User-agent: *\nCrawl-delay: {asked}\nDisallow: /b")
    assert (await site.cache.verdict(ORIGIN, PAGE)).delay == kept
