"""A question over the web: search, fetch, store and cite on a real site, faults included."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path

from leadline.agent.events import Event, Warned
from leadline.agent.report import Report
from leadline.agent.researcher import Researcher
from leadline.agent.run_store import RunStore
from leadline.agent.toolbox import Effort
from leadline.agent.web_source import WebSource
from leadline.errors import ModelError
from leadline.runtime.reader import FirstStageReader
from leadline.runtime.scripted_engine import Reply, ScriptedEngine
from leadline.tools.fetch import Fetcher, FetchLimits
from leadline.tools.network_guard import NetworkGuard
from leadline.tools.page_store import PageStore
from leadline.tools.passage_ranker import HybridRanker
from leadline.tools.search.backend_choice import BackendChoice
from leadline.tools.search.kept_search import KeptSearch, SearchAnswers
from leadline.tools.search.multi_search import MultiSearch
from leadline.tools.search.searxng_search import SearxngSearch
from leadline.tools.web_pages import Reuse, WebPages

from ..web.faults import Fault
from ..web.served_pages import generated_pages
from ..web.site import WebSite
from .conftest import SUPPORTED, answer

QUESTION = "How deep is the water at buoy 7?"
REPLIES = [answer(("The water at buoy 7 is 52 fathoms deep at low tide.", [1])), SUPPORTED]
PATIENT = FetchLimits(host_delay=0.0)
"""A busy machine is slow; a page that is given up would be asked for again."""
IMPATIENT = FetchLimits(seconds=3, silence=0.5, host_delay=0.0)


async def ask(
    site: WebSite, folder: Path, reuse: Reuse, limits: FetchLimits = PATIENT
) -> tuple[Report, list[Event]]:
    """One run with everything opened anew, as another process would."""
    store, answers = PageStore(folder / "pages"), SearchAnswers(folder / "web")
    events: list[Event] = []
    guard = NetworkGuard(allow_hosts=[site.host])
    async with Fetcher(guard, limits=limits, cache=folder / "web") as fetcher:
        search = KeptSearch(SearxngSearch(site.url()), answers, reuse)
        researcher = Researcher(
            engine=ScriptedEngine(REPLIES),
            reader=FirstStageReader(HybridRanker(None)),
            sources=[WebSource(search, WebPages(fetcher, store, reuse))],
            pages=store,
            runs=RunStore(folder / "runs"),
        )
        report = await researcher.run(QUESTION, on_event=events.append)
    store.close()
    answers.close()
    return report, events


async def test_a_run_repeated_asks_for_nothing(tmp_path: Path) -> None:
    with WebSite(generated_pages(30)) as site:
        cold, _ = await ask(site, tmp_path, Reuse(seconds=600))
        assert cold.status == "complete"
        [citation] = cold.claims[0].citations
        assert "buoy 7 is 52 fathoms deep" in citation.quote
        assert citation.url == site.url("/buoy/7")
        asked = len(site.requests)
        assert asked > 3
        warm, _ = await ask(site, tmp_path, Reuse(seconds=600))
        assert len(site.requests) == asked
    assert warm.claims == cold.claims
    offline, _ = await ask(site, tmp_path, Reuse(offline=True))
    assert offline.claims == cold.claims


async def test_a_third_of_the_web_may_fail(tmp_path: Path) -> None:
    """All twelve faults, on three pages in ten; the page that is asked for is not among them."""
    pages = generated_pages(30)
    others = sorted(pages.keys() - {"/buoy/7"})
    failing = random.Random(1).sample(others, round(0.3 * len(pages)))
    with WebSite(pages) as site:
        for path, fault in zip(failing, itertools.cycle(Fault), strict=False):
            site.fail(path, fault)
        report, _ = await ask(site, tmp_path, Reuse(), IMPATIENT)
        asked_in_vain = set(failing) & set(site.page_requests)
    assert report.status == "complete"
    assert "buoy 7 is 52 fathoms deep" in report.claims[0].citations[0].quote
    assert len(asked_in_vain) >= 2
    for path in asked_in_vain:
        assert any(f"{path} " in warning for warning in report.warnings), path
        assert path in report.markdown


async def test_a_site_that_fails_in_part_is_named(tmp_path: Path) -> None:
    with WebSite(generated_pages(30)) as site:
        failing = {f"/buoy/{n}" for n in (0, 3, 5)}
        for path, fault in zip(
            sorted(failing), (Fault.RESET, Fault.SERVER_ERROR, Fault.LYING_TYPE), strict=True
        ):
            site.fail(path, fault)
        report, events = await ask(site, tmp_path, Reuse())
    assert report.status == "complete"
    warned = [event.message for event in events if isinstance(event, Warned)]
    asked_in_vain = failing & set(site.requests)
    assert asked_in_vain
    assert all(any(path in message for message in warned) for path in asked_in_vain)


class Register(SearxngSearch):
    description = "An official register of sea marks"


class Recipes(SearxngSearch):
    description = "Recipes, also for deep water fish"


async def ask_one_of_two(
    site: WebSite, other: WebSite, folder: Path, replies: Sequence[Reply], effort: Effort
) -> tuple[Report, ScriptedEngine]:
    """One run that may ask ``site``, a register, or ``other``, of recipes, but not both."""
    engine, store = ScriptedEngine(replies), PageStore(folder / "pages")
    backends = [Register(site.url()), Recipes(other.url())]
    choice = BackendChoice(HybridRanker(None), 1)
    guard = NetworkGuard(allow_hosts=[site.host, other.host])
    async with Fetcher(guard, limits=PATIENT) as fetcher:
        search = MultiSearch(backends, on_warning=print, choice=choice)
        researcher = Researcher(
            engine=engine,
            reader=FirstStageReader(HybridRanker(None)),
            sources=[WebSource(search, WebPages(fetcher, store))],
            pages=store,
            runs=RunStore(folder / "runs"),
            effort=effort,
        )
        report = await researcher.run(QUESTION)
    store.close()
    return report, engine


async def test_the_model_says_what_source_is_needed(tmp_path: Path) -> None:
    effort = Effort(source_need=True)
    with WebSite(generated_pages(30)) as site, WebSite(generated_pages(1)) as other:
        replies = ["An official register of sea marks", *REPLIES]
        report, engine = await ask_one_of_two(site, other, tmp_path, replies, effort)
        assert other.requests == []
    assert report.status == "complete"
    assert QUESTION in engine.requests[0].messages[-1].content
    assert report.usage.completion_tokens >= len(replies[0]) // 4


async def test_a_source_is_chosen_by_the_question_alone_where_the_model_fails(
    tmp_path: Path,
) -> None:
    effort = Effort(source_need=True)
    with WebSite(generated_pages(1)) as site, WebSite(generated_pages(30)) as other:
        replies: list[Reply] = [ModelError("no memory is left"), *REPLIES]
        report, _ = await ask_one_of_two(site, other, tmp_path, replies, effort)
        assert site.requests == []
    assert report.status == "complete"
    assert "sources are chosen by the question: no memory is left" in report.warnings
