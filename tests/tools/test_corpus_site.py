"""A site as a corpus: crawled over real sockets within its origin and folder."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, CorpusError
from leadline.tools.corpus import Corpus
from leadline.tools.corpus_catalogue import CorpusCatalogue
from leadline.tools.fetch import Fetcher, FetchLimits
from leadline.tools.network_guard import NetworkGuard

if TYPE_CHECKING:
    from tests.tools.conftest import LoopbackSite


def page(title: str, text: str, *links: str) -> str:
    anchors = " ".join(f"<a href='{link}'>more</a>" for link in links)
    return f"<html><title>{title}</title><body><h1>{title}</h1><p>{text}</p>{anchors}</body></html>"


PAGES = {
    "/docs/index.html": page(
        "Start",
        "The docs of the lead line begin here.",
        "lead.html",
        "lead.html#marks",
        "/docs/deep/fathom.html",
        "/outside.html",
        "http://other.example/docs/x.html",
        "mailto:me@x",
        "javascript:go()",
        "picture.png",
        "gone.html",
        "http://[broken",
    ),
    "/docs/lead.html": page("Lead", "A lead is armed with tallow.", "index.html"),
    "/docs/deep/fathom.html": page("Fathom", "A fathom is six feet.", "../kelp.html"),
    "/docs/kelp.html": page("Kelp", "Kelp grows at ten fathoms."),
    "/outside.html": page("Outside", "Not part of the docs."),
}


@pytest.fixture
async def fetcher(site: LoopbackSite) -> AsyncIterator[Fetcher]:
    guard = NetworkGuard(allow_hosts=["127.0.0.1"])
    async with Fetcher(guard, limits=FetchLimits(host_delay=0.0)) as fetcher:
        yield fetcher


@pytest.fixture
def docs(site: LoopbackSite) -> LoopbackSite:
    for path, text in PAGES.items():
        site.page(path, text)
    return site


@pytest.fixture
def corpus(docs: LoopbackSite) -> Corpus:
    return CorpusCatalogue().add("docs", docs.url("/docs/index.html"))


def fetched(site: LoopbackSite) -> list[str]:
    return sorted(path for path in site.paths if path != "/robots.txt")


async def test_crawled_within_origin_and_folder(
    corpus: Corpus, docs: LoopbackSite, fetcher: Fetcher, cancel: Cancellation
) -> None:
    report = await corpus.update(fetcher=fetcher, cancel=cancel)
    assert report.pages == report.added == 4
    assert fetched(docs) == sorted(
        [*(p for p in PAGES if p.startswith("/docs")), "/docs/gone.html"]
    )
    assert [skipped.path for skipped in report.skipped] == [docs.url("/docs/gone.html")]
    hit = corpus.search("kelp", 1)[0]
    assert (hit.title, hit.url) == ("Kelp", docs.url("/docs/kelp.html"))


async def test_pages_that_go_and_change(
    corpus: Corpus, docs: LoopbackSite, fetcher: Fetcher, cancel: Cancellation
) -> None:
    await corpus.update(fetcher=fetcher, cancel=cancel)
    docs.page("/docs/lead.html", page("Lead", "Now it is made of bismuth."))
    docs.page("/docs/deep/fathom.html", page("Fathom", "A fathom is six feet."))
    report = await corpus.update(fetcher=fetcher, cancel=cancel)
    assert (report.added, report.unchanged, report.removed, report.pages) == (2, 1, 1, 3)
    assert corpus.search("kelp", 5) == [] and corpus.search("bismuth", 1)[0].title == "Lead"


async def test_page_limit(docs: LoopbackSite, fetcher: Fetcher, cancel: Cancellation) -> None:
    corpus = CorpusCatalogue().add("docs", docs.url("/docs/index.html"), max_pages=2)
    report = await corpus.update(fetcher=fetcher, cancel=cancel)
    assert report.pages == 2 and len(fetched(docs)) == 2


async def test_stopped_crawl_goes_on_without_fetching_again(
    corpus: Corpus, docs: LoopbackSite, fetcher: Fetcher
) -> None:
    cancel = Cancellation()

    def stop(task: str, done: int, total: int | None, unit: str) -> None:
        if done == 2:
            cancel.cancel()

    with pytest.raises(Cancelled):
        await corpus.update(fetcher=fetcher, cancel=cancel, progress=stop)
    stored = corpus.counts()[0]
    before = fetched(docs)
    report = await CorpusCatalogue().open("docs").update(fetcher=fetcher, cancel=Cancellation())
    assert report.pages == 4 and report.unchanged == stored >= 1
    assert fetched(docs).count("/docs/index.html") == before.count("/docs/index.html") == 1


async def test_site_that_is_not_there(
    docs: LoopbackSite, fetcher: Fetcher, cancel: Cancellation
) -> None:
    corpus = CorpusCatalogue().add("gone", docs.url("/nothing/"))
    with pytest.raises(CorpusError, match=r"holds no text .*404"):
        await corpus.update(fetcher=fetcher, cancel=cancel)


async def test_a_redirect_out_of_the_site_is_not_indexed(
    docs: LoopbackSite, fetcher: Fetcher, cancel: Cancellation
) -> None:
    docs.page("/docs/lead.html", "", status=302, location="/outside.html")
    corpus = CorpusCatalogue().add("docs", docs.url("/docs/index.html"))
    await corpus.update(fetcher=fetcher, cancel=cancel)
    assert corpus.search("part of the docs outside", 9)[0].title != "Outside"
    assert corpus.counts()[0] == 3


async def test_a_site_needs_a_fetcher(corpus: Corpus, cancel: Cancellation) -> None:
    with pytest.raises(CorpusError, match="is a site"):
        await corpus.update(cancel=cancel)


def test_not_a_site() -> None:
    corpus = CorpusCatalogue().add("odd", "http://")
    with pytest.raises(CorpusError, match="is not the address of a site"):
        asyncio.run(_update_odd(corpus))


async def _update_odd(corpus: Corpus) -> None:
    async with Fetcher() as fetcher:
        await corpus.update(fetcher=fetcher, cancel=Cancellation())
