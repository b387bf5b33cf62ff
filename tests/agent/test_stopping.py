"""Stop stops: at every stage, within two seconds, with sockets closed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from leadline.agent.events import Event, NodeChanged, PageRead, ReadingFinished, RunStarted
from leadline.agent.researcher import Researcher
from leadline.agent.run_store import RunStore
from leadline.agent.web_source import WebSource
from leadline.cancellation import Cancellation, unless_cancelled
from leadline.errors import Cancelled
from leadline.progress import Progress, silent
from leadline.runtime.engine import Engine, Generation, GenerationRequest, TextDelta
from leadline.runtime.llama_engine import LlamaEngine
from leadline.runtime.reader import FirstStageReader, PassageRanker
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tools.fetch import Fetcher, FetchLimits
from leadline.tools.network_guard import NetworkGuard
from leadline.tools.page_store import PageStore
from leadline.tools.passage_ranker import HybridRanker
from leadline.tools.search.searxng_search import SearxngSearch
from leadline.tools.web_pages import Reuse, WebPages

from ..web.faults import Fault
from ..web.served_pages import generated_pages
from ..web.site import WebSite
from .killed_runs import QUESTION, reply

SECONDS = 2.0
PAGES = generated_pages(30, paragraphs=4)
_ESTABLISHED = "01"

ASKED_FOR = {
    "planning": "'sub_questions'",
    "answering": "'found'",
    "writing": "'notes'",
    "verifying": "yes or no",
}
"""By stage, words of the schema that the model is held to, or of what it is asked."""


class StuckEngine(ScriptedEngine):
    """Answers until a request has ``words``; then it decodes for ever, and says so in ``stuck``."""

    def __init__(self, words: str | None, stuck: asyncio.Event) -> None:
        super().__init__(respond=reply)
        self._words, self._stuck = words, stuck

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        asked = f"{request.json_schema} {request.messages[0].content}".replace("\n", " ")
        if self._words is not None and self._words in asked:
            self._stuck.set()
            await unless_cancelled(asyncio.sleep(3600), cancel)
        async for item in super().stream(request, cancel=cancel):
            yield item


class StuckRanker:
    """Ranks passages for ever, in its thread."""

    def __init__(self, stuck: Callable[[], object]) -> None:
        self._stuck = stuck

    def rank(
        self,
        question: str,
        passages: Sequence[str],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> Sequence[float]:
        self._stuck()
        while True:
            cancel.check()
            time.sleep(0.01)


@pytest.fixture
def site() -> Iterator[WebSite]:
    with WebSite(PAGES) as site:
        yield site


def open_connections(site: WebSite) -> int:
    """Connections that their client has not closed while it waits for an answer of the site.

    Those that are kept for a later request wait for nothing.
    """
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    waiting = {f":{port:04X}" for port in set(site.answering)}
    return sum(
        row[2].endswith(f":{site.port:04X}") and row[1][-5:] in waiting and row[3] == _ESTABLISHED
        for row in rows
    )


@pytest.mark.parametrize("stage", ["searching", "fetching", "reading", *ASKED_FOR])
async def test_a_run_stops_at_every_stage(stage: str, site: WebSite, tmp_path: Path) -> None:
    stuck, cancel = asyncio.Event(), Cancellation()
    loop = asyncio.get_running_loop()
    if stage == "searching":
        site.fail("/search", Fault.SILENT)
    if stage == "fetching":
        site.fail_share(1.0, [Fault.SILENT, Fault.SLOW])
    ranker: PassageRanker = HybridRanker(None)
    if stage == "reading":
        ranker = StuckRanker(lambda: loop.call_soon_threadsafe(stuck.set))
    async with AsyncExitStack() as stack:
        limits = FetchLimits(seconds=600, silence=600, host_delay=0.0)
        guard = NetworkGuard(allow_hosts=[site.host])
        fetcher = await stack.enter_async_context(Fetcher(guard, limits=limits))
        store = PageStore(tmp_path / "pages")
        web = WebSource(SearxngSearch(site.url()), WebPages(fetcher, store, Reuse()))
        researcher = Researcher(
            engine=StuckEngine(ASKED_FOR.get(stage), stuck),
            reader=FirstStageReader(ranker),
            sources=[web],
            pages=store,
            runs=RunStore(tmp_path / "runs"),
        )
        run = asyncio.create_task(researcher.run(QUESTION, cancel=cancel))
        if stage == "searching":
            await until(lambda: any(t.startswith("/search?") for t in site.requests), run)
        elif stage == "fetching":
            await until(lambda: any(t.startswith("/buoy/") for t in site.requests), run)
        else:
            await until(stuck.is_set, run)
        assert open_connections(site) or stage not in ("searching", "fetching")
        await stops(run, cancel)
        await until(lambda: open_connections(site) == 0 or stage not in ("searching", "fetching"))


async def until(condition: Callable[[], bool], run: asyncio.Task[object] | None = None) -> None:
    """Return once ``condition`` holds; it has ten seconds, and ``run`` must not end before."""
    deadline = time.monotonic() + 10
    while not condition():
        assert run is None or not run.done(), run
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


async def stops(run: asyncio.Task[object], cancel: Cancellation) -> float:
    """Seconds from the stop to the end of ``run``."""
    stopped = time.monotonic()
    cancel.cancel()
    with pytest.raises(Cancelled):
        await run
    seconds = time.monotonic() - stopped
    assert seconds < SECONDS
    return seconds


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["planning", "reading", "answering", "writing"])
async def test_a_real_model_stops_at_every_stage(
    stage: str,
    model_file: Callable[[str], Path],
    researcher_with: Callable[[Engine], Researcher],
    record_property: Callable[[str, object], None],
) -> None:
    engine = await LlamaEngine.open(model_file("qwen2.5-coder-0.5b"))
    reached, cancel = asyncio.Event(), Cancellation()
    first = {
        "planning": RunStarted,
        "reading": PageRead,
        "answering": ReadingFinished,
        "writing": NodeChanged,
    }[stage]

    def watch(event: Event) -> None:
        under_way = isinstance(event, NodeChanged) and event.state == "running"
        if isinstance(event, first) and not under_way:
            reached.set()

    run = asyncio.create_task(
        researcher_with(engine).run(
            "Compare the harbour and the ferry of Port Alder, and say who the mayor is.",
            cancel=cancel,
            on_event=watch,
        )
    )
    await asyncio.wait_for(reached.wait(), 300)
    await asyncio.sleep(0.3)
    record_property("seconds", await stops(run, cancel))
    await engine.aclose()
