"""Runs whose process is killed (``kill -9``) come to the end that they would have come to."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..web.served_pages import generated_pages
from ..web.site import WebSite
from .killed_runs import Outcome, Setting, finish

PAGES = generated_pages(30, paragraphs=4)


@pytest.fixture
def site() -> Iterator[WebSite]:
    with WebSite(PAGES) as site:
        site.latency = 0.02
        yield site


def killed(
    site: WebSite, folder: Path, kills: list[float], *, model: Path | None = None
) -> tuple[Outcome, list[str], float]:
    """How a run ends that is killed so often, what it asked the site for, and its seconds."""
    folder.mkdir()
    asked = len(site.requests)
    started = time.monotonic()
    setting = Setting(folder, site.host, model)
    outcome = finish(setting, kill_after=kills)
    return outcome, site.requests[asked:], time.monotonic() - started


def check(outcome: Outcome, whole: Outcome) -> None:
    """Nothing was done twice, nothing is missing, and the report is the same."""
    assert outcome.repeated == []
    assert outcome.done == whole.done
    assert outcome.report.markdown == whole.report.markdown
    assert outcome.report.claims == whole.report.claims
    assert outcome.report.status == whole.report.status


def test_a_run_killed_six_times_ends_as_if_it_had_not_been(site: WebSite, tmp_path: Path) -> None:
    whole, asked, seconds = killed(site, tmp_path / "whole", [])
    assert whole.report.status == "complete"
    assert len(whole.done) > 20
    chance = random.Random(6)
    kills = [chance.uniform(0, seconds / 3) for _ in range(6)]
    outcome, asked_in_all, _ = killed(site, tmp_path / "killed", kills)
    check(outcome, whole)
    # each kill may cut off what was on its way to each of four searchers
    assert len(asked_in_all) - len(asked) <= 4 * 3 * len(kills)
    assert set(asked_in_all) == set(asked)


@pytest.mark.slow
def test_fifty_runs_killed_at_random_points_all_come_to_their_end(
    site: WebSite, tmp_path: Path
) -> None:
    whole, _, seconds = killed(site, tmp_path / "whole", [])
    chance = random.Random(50)
    for number in range(50):
        outcome, _, _ = killed(site, tmp_path / str(number), [chance.uniform(0, seconds)])
        check(outcome, whole)


@pytest.mark.slow
def test_runs_of_a_real_model_killed_at_random_points_come_to_their_end(
    site: WebSite, tmp_path: Path, model_file: Callable[[str], Path]
) -> None:
    model = model_file("smollm2-135m")
    _, _, seconds = killed(site, tmp_path / "whole", [], model=model)
    chance = random.Random(5)
    for number in range(5):
        kills = [chance.uniform(0, seconds)]
        outcome, _, _ = killed(site, tmp_path / str(number), kills, model=model)
        assert outcome.repeated == []
        assert outcome.processes == 2
        assert all(count == 1 for work, count in outcome.done.items() if '"found":' in work)
