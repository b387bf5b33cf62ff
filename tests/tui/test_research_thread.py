from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from collections.abc import AsyncIterator, Callable

import pytest

from leadline.agent.assembly import Wishes
from leadline.agent.report import Report
from leadline.agent.researcher import Researcher
from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ConfigError
from leadline.progress import Progress
from leadline.settings import load_settings
from leadline.tui.research_thread import ResearchThread
from leadline.tui.run_feed import RunFeed

PATIENCE_SECONDS = 30.0


@contextlib.asynccontextmanager
async def opens_nothing(
    wishes: Wishes,
    *,
    cancel: Cancellation,
    progress: Progress,
    warn: Callable[[str], None],
) -> AsyncIterator[Researcher]:
    raise ConfigError("there is no model", remedy="pull one")
    yield


async def never_started(researcher: Researcher, feed: RunFeed) -> Report:
    raise AssertionError("there is no researcher")


def end_of(feed: RunFeed) -> Report | BaseException:
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if (ended := feed.take().ended) is not None:
            return ended
        time.sleep(0.01)
    raise AssertionError("the run did not end")


def test_that_models_cannot_be_opened_is_told_to_the_run_alone(
    home: object, caplog: pytest.LogCaptureFixture
) -> None:
    research = ResearchThread(opens_nothing)
    feed = research.start(Wishes(load_settings()), never_started)
    assert isinstance(end_of(feed), ConfigError)
    research.close()
    del feed
    gc.collect()
    assert not caplog.records  # of asyncio, that nobody took an exception


def test_a_run_is_stopped_though_its_models_cannot_stop_opening(home: object) -> None:
    gate = threading.Event()

    @contextlib.asynccontextmanager
    async def opens_slowly(
        wishes: Wishes,
        *,
        cancel: Cancellation,
        progress: Progress,
        warn: Callable[[str], None],
    ) -> AsyncIterator[Researcher]:
        await asyncio.to_thread(gate.wait)
        raise ConfigError("there is no model", remedy="pull one")
        yield

    research = ResearchThread(opens_slowly)
    feed = research.start(Wishes(load_settings()), never_started)
    feed.stop()
    assert isinstance(end_of(feed), Cancelled)
    again = research.start(Wishes(load_settings()), never_started)
    gate.set()
    assert isinstance(end_of(again), ConfigError)
    research.close()
