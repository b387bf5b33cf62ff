"""Opening pages of a whole site: kept ones, many at once, and a site that misbehaves."""

from __future__ import annotations

import asyncio
import resource
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import FetchError, LeadlineError
from leadline.evidence import Page
from leadline.tools.fetch import Fetcher, FetchLimits
from leadline.tools.network_guard import NetworkGuard
from leadline.tools.page_storage import EitherStore, PageStorage
from leadline.tools.page_store import PageStore
from leadline.tools.web_pages import Reuse, WebPages

from ..web.faults import Fault
from ..web.served_pages import depth_at, generated_pages
from ..web.site import WebSite

NO_REUSE = Reuse()
QUICK = FetchLimits(seconds=3, silence=0.5, bytes=1_000_000, host_delay=0.0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[PageStore]:
    store = PageStore(tmp_path / "pages")
    yield store
    store.close()


@asynccontextmanager
async def opened(
    site: WebSite, store: PageStorage, reuse: Reuse = NO_REUSE, limits: FetchLimits = QUICK
) -> AsyncIterator[WebPages]:
    async with Fetcher(NetworkGuard(allow_hosts=[site.host]), limits=limits) as fetcher:
        yield WebPages(fetcher, store, reuse)


async def test_a_young_page_is_not_asked_for_again(store: PageStore, cancel: Cancellation) -> None:
    with WebSite(generated_pages(2)) as site:
        for _ in range(2):
            async with opened(site, store, Reuse(seconds=60)) as pages:
                page = await pages.open(site.url("/buoy/1#depth"), cancel=cancel)
                assert f"{depth_at(1)} fathoms" in page.text
        assert site.requests == ["/robots.txt", "/buoy/1"]
        async with opened(site, store, Reuse(seconds=60)) as pages:
            await pages.open(site.url("/buoy/1"), cancel=cancel, confirm=True)
        assert site.page_requests == ["/buoy/1", "/buoy/1"]


async def test_an_old_page_is_asked_for_again(store: PageStore, cancel: Cancellation) -> None:
    with WebSite(generated_pages(1)) as site:
        for _ in range(2):
            async with opened(site, store) as pages:
                await pages.open(site.url("/buoy/0"), cancel=cancel)
        assert site.page_requests == ["/buoy/0", "/buoy/0"]


async def test_offline_nothing_is_asked_for(store: PageStore, cancel: Cancellation) -> None:
    with WebSite(generated_pages(2)) as site:
        async with opened(site, store) as pages:
            kept = await pages.open(site.url("/buoy/1"), cancel=cancel)
        asked = list(site.requests)
        async with opened(site, store, Reuse(offline=True)) as pages:
            assert await pages.open(site.url("/buoy/1"), cancel=cancel) == kept
            with pytest.raises(FetchError, match="is not kept"):
                await pages.open(site.url("/buoy/0"), cancel=cancel)
        assert site.requests == asked


async def test_a_kept_page_of_a_refused_address_stays_shut(
    store: PageStore, cancel: Cancellation
) -> None:
    with WebSite(generated_pages(1)) as site:
        async with opened(site, store) as pages:
            await pages.open(site.url("/buoy/0"), cancel=cancel)
        async with Fetcher() as fetcher:
            with pytest.raises(FetchError, match="is not a public address"):
                await WebPages(fetcher, store, Reuse(offline=True)).open(
                    site.url("/buoy/0"), cancel=cancel
                )


def test_what_is_reused() -> None:
    now = datetime.now(UTC)
    assert Reuse(seconds=60).takes(now - timedelta(seconds=30))
    assert not Reuse(seconds=60).takes(now - timedelta(seconds=90))
    assert not Reuse().takes(now)
    assert Reuse(offline=True).takes(now - timedelta(days=9999))


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Fault.SLOW, "was not complete within"),
        (Fault.SILENT, "sent nothing for"),
        (Fault.RESET, "broke off the answer"),
        (Fault.CUT_OFF, "broke off the answer"),
        (Fault.TOO_MANY_REQUESTS, "asks for fewer requests"),
        (Fault.SERVER_ERROR, "fails with status 500"),
        (Fault.REDIRECT_LOOP, "redirects in a loop"),
        (Fault.GZIP_BOMB, "is larger than"),
        (Fault.ENDLESS_BODY, "is larger than"),
        (Fault.LYING_TYPE, "of an unknown type"),
        (Fault.NO_HTTP, "broke off the answer"),
    ],
)
async def test_each_fault_is_named(
    store: PageStore, cancel: Cancellation, fault: Fault, reason: str
) -> None:
    with WebSite(generated_pages(1)) as site:
        site.fail("/buoy/0", fault)
        async with opened(site, store) as pages:
            with pytest.raises(FetchError) as caught:
                await pages.open(site.url("/buoy/0"), cancel=cancel)
    assert reason in caught.value.problem


async def test_a_wrong_charset_does_not_spoil_the_text(
    store: PageStore, cancel: Cancellation
) -> None:
    with WebSite(generated_pages(1)) as site:
        site.fail("/buoy/0", Fault.WRONG_CHARSET)
        async with opened(site, store) as pages:
            page = await pages.open(site.url("/buoy/0"), cancel=cancel)
    assert f"{depth_at(0)} fathoms" in page.text


@pytest.mark.real_retry_wait
async def test_a_host_that_asks_for_patience_gets_it(
    store: PageStore, cancel: Cancellation
) -> None:
    with WebSite(generated_pages(4)) as site:
        site.fail("/buoy/0", Fault.TOO_MANY_REQUESTS, times=1)
        async with opened(site, store) as pages:
            first = asyncio.create_task(pages.open(site.url("/buoy/0"), cancel=cancel))
            await asyncio.to_thread(site.wait_for, "/buoy/0")
            await asyncio.sleep(0.1)
            others = (pages.open(site.url(f"/buoy/{n}"), cancel=cancel) for n in range(1, 4))
            await asyncio.gather(first, *others)
        assert len(site.requests) == 6
        asked = site.arrivals[site.requests.index("/buoy/0")]
        assert all(0.9 < later - asked < 3 for later in site.arrivals[2:])


async def fetch_all(
    site: WebSite, store: PageStorage, concurrency: int
) -> tuple[list[Page], list[LeadlineError]]:
    cancel = Cancellation()
    limits = FetchLimits(
        bytes=1_000_000, host_delay=0.0, concurrency=concurrency, per_host=concurrency
    )

    async def one(pages: WebPages, path: str) -> Page | LeadlineError:
        try:
            return await pages.open(site.url(path), cancel=cancel)
        except LeadlineError as error:
            return error

    async with opened(site, store, limits=limits) as pages:
        outcomes = await asyncio.gather(*(one(pages, path) for path in sorted(site.pages)))
    found = [outcome for outcome in outcomes if isinstance(outcome, Page)]
    return found, [outcome for outcome in outcomes if isinstance(outcome, LeadlineError)]


ANY = [fault for fault in Fault if fault not in (Fault.WRONG_CHARSET, Fault.SLOW, Fault.SILENT)]


async def test_many_pages_with_thirty_percent_failures(store: PageStore) -> None:
    with WebSite(generated_pages(99, paragraphs=2)) as site:
        failing = site.fail_share(0.3, ANY)
        site.latency = 0.05
        found, errors = await fetch_all(site, store, concurrency=32)
        assert len(failing) == len(errors) == 30
        assert len(found) == len(store) == 70
        assert 8 < site.most_at_once <= 32
        assert all(any(path in error.problem for path in failing) for error in errors)


class CountedStore(EitherStore):
    """Takes its time to keep a page, and sees how many more were asked for by then than kept."""

    def __init__(self, store: PageStore, site: WebSite) -> None:
        super().__init__(store, store)
        self._site = site
        self._lock = threading.Lock()
        self._kept = 0
        self.most_in_hand = 0

    def put(self, body: bytes, **about: Any) -> Page:
        with self._lock:
            in_hand = len(self._site.page_requests) - self._kept
            self.most_in_hand = max(self.most_in_hand, in_hand)
        time.sleep(0.02)
        page = super().put(body, **about)
        with self._lock:
            self._kept += 1
        return page


async def test_pages_come_no_faster_than_they_are_kept(store: PageStore) -> None:
    with WebSite(generated_pages(99, paragraphs=2)) as site:
        counted = CountedStore(store, site)
        found, errors = await fetch_all(site, counted, concurrency=16)
    assert (len(found), errors) == (100, [])
    assert 4 < counted.most_in_hand <= 16


def resident_megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


@contextmanager
def most_resident() -> Iterator[list[float]]:
    """Resident megabytes of this process, looked at every 5 ms."""
    seen = [resident_megabytes()]
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.005):
            seen.append(resident_megabytes())

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    yield seen
    over.set()
    looking.join()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")
async def test_a_thousand_pages_in_bounded_memory(store: PageStore) -> None:
    """What one page takes is given back before the next thousand come; the site's share counts."""
    with WebSite(generated_pages(64, paragraphs=100, seed=1)) as site:
        await fetch_all(site, store, concurrency=32)  # imports, threads, pools
    with WebSite(generated_pages(1000, paragraphs=100)) as site:
        total = sum(len(page.body) for page in site.pages.values())
        counted = CountedStore(store, site)
        started = time.monotonic()
        with most_resident() as resident:
            found, errors = await fetch_all(site, counted, concurrency=32)
        seconds = time.monotonic() - started
    grown = max(resident) - resident[0]
    print(
        f"{len(found)} pages, {total / 1e6:.0f} MB in {seconds:.1f} s, "
        f"{len(found) / seconds:.0f} a second, {grown:.0f} MB more memory"
    )
    assert (len(found), errors) == (1001, [])
    assert site.most_at_once <= 32
    assert counted.most_in_hand <= 32
    assert grown < 150
