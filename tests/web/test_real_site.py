"""A question to a real site over HTTP with real models: cited answer, costs, and a warm repeat.

``LEADLINE_TEST_SITE`` is a folder of unpacked documentation, such as Debian's sqlite3-doc;
``LEADLINE_TEST_QUESTION`` another question. ``-s`` prints the figures.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run
from leadline.errors import LeadlineError
from leadline.evidence import Page
from leadline.tools.fetch import Fetcher, FetchLimits
from leadline.tools.network_guard import NetworkGuard
from leadline.tools.page_store import PageStore
from leadline.tools.web_pages import WebPages

from .served_pages import folder_pages
from .site import WebSite

pytestmark = pytest.mark.slow

_PAGES = 300
_QUESTION = "At how many pages does SQLite automatically checkpoint the WAL file by default?"


@pytest.fixture
def documentation() -> Iterator[WebSite]:
    folder = os.environ.get("LEADLINE_TEST_SITE")
    if not folder:
        pytest.skip("LEADLINE_TEST_SITE names no folder of documentation")
    found = folder_pages(Path(folder))
    pages = {path: page for path, page in found.items() if page.media_type == "text/html"}
    # The largest ones: they are the ones that say something.
    chosen = sorted(pages, key=lambda path: -len(pages[path].body))[:_PAGES]
    with WebSite({path: pages[path] for path in sorted(chosen)}) as site:
        yield site


async def test_pages_a_second(documentation: WebSite, tmp_path: Path) -> None:
    site, store, cancel = documentation, PageStore(tmp_path / "pages"), Cancellation()
    # A site in the same process takes its share of the processor.
    limits = FetchLimits(seconds=300, silence=300, host_delay=0.0, per_host=32)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    async with Fetcher(NetworkGuard(allow_hosts=[site.host]), limits=limits) as fetcher:
        pages = WebPages(fetcher, store)

        async def opened(path: str) -> Page | LeadlineError:
            try:
                return await pages.open(site.url(path), cancel=cancel)
            except LeadlineError as error:
                return error

        started = time.monotonic()
        outcomes = await asyncio.gather(*(opened(path) for path in site.pages))
        seconds = time.monotonic() - started
    failed = [outcome for outcome in outcomes if isinstance(outcome, LeadlineError)]
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    size = sum(len(page.body) for page in site.pages.values()) / 1e6
    print(
        f"\n{len(outcomes)} pages, {size:.1f} MB fetched and extracted in {seconds:.1f} s: "
        f"{len(outcomes) / seconds:.1f} a second, {grown:.0f} MB more memory, failed: "
        f"{[str(error) for error in failed]}"
    )
    assert len(outcomes) == _PAGES
    assert not failed
    store.close()


def test_a_question_is_answered_and_its_repeat_asks_for_nothing(
    documentation: WebSite,
    real_models: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real_models("qwen2.5-coder-1.5b", "qwen2.5-coder-0.5b", "all-minilm-l6-v2")
    site = documentation
    monkeypatch.setenv("LEADLINE_SEARCH_BACKENDS", '["searxng"]')
    monkeypatch.setenv("LEADLINE_SEARXNG_URL", site.url())
    monkeypatch.setenv("LEADLINE_ALLOW_HOSTS", f'["{site.host}"]')
    question = os.environ.get("LEADLINE_TEST_QUESTION", _QUESTION)
    figures = []
    for which in ("cold", "warm"):
        asked = len(site.requests)
        started = time.monotonic()
        status = run([question, "--web", "--json"])
        seconds = time.monotonic() - started
        report = json.loads(capsys.readouterr().out)
        assert status in (ExitCode.OK, ExitCode.PARTIAL), report
        citations = [cited for claim in report["claims"] for cited in claim["citations"]]
        assert citations
        assert all(cited["url"].startswith(site.url("/")) for cited in citations)
        requests = len(site.requests) - asked
        pages = report["usage"]["pages"]
        figures.append(f"{which}: {seconds:.1f} s, {requests} requests, {pages} pages read")
        if which == "warm":
            assert requests == 0
    with capsys.disabled():
        print(f"\n{question} → {report['claims'][0]['text']}\n" + "\n".join(figures))
