"""Runs rendered again from their log and the stored pages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from leadline.agent.events import Event
from leadline.agent.replay import replay
from leadline.agent.report import Report
from leadline.agent.researcher import Researcher
from leadline.agent.run_archive import export_run, import_run
from leadline.agent.run_store import RunFolder, RunStore
from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run
from leadline.errors import EndpointError
from leadline.locations import locations
from leadline.runtime.engine import Engine
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tools.page_store import PageStore

from .conftest import SUPPORTED, answer

QUESTION = "When was the harbour of Port Alder opened?"
MakeResearcher = Callable[[Engine], Researcher]


@pytest.fixture
async def finished(researcher_with: MakeResearcher) -> Report:
    engine = ScriptedEngine([answer(("The harbour was opened in 1902.", [1])), SUPPORTED])
    return await researcher_with(engine).run(QUESTION)


@pytest.fixture
def folder(finished: Report, runs: RunStore) -> RunFolder:
    return runs.get(finished.run_id)


def test_a_replay_says_the_same_and_ends_in_the_same_report(
    folder: RunFolder, finished: Report, store: PageStore
) -> None:
    events: list[Event] = []
    done = replay(folder, store, events.append)
    assert done.differences == []
    assert done.markdown == finished.markdown
    assert events == list(folder.events())
    assert done.spans > len(finished.claims)


def test_a_replay_on_another_machine_needs_nothing_but_the_archive(
    folder: RunFolder, finished: Report, store: PageStore, tmp_path: Path
) -> None:
    export_run(folder, store, tmp_path / "run.zip")
    elsewhere = RunStore(tmp_path / "elsewhere" / "runs")
    pages = PageStore(tmp_path / "elsewhere" / "pages")
    import_run(tmp_path / "run.zip", elsewhere, pages)
    done = replay(elsewhere.get(finished.run_id), pages, lambda event: None)
    assert (done.differences, done.markdown) == ([], finished.markdown)


def test_what_was_altered_is_said(folder: RunFolder, finished: Report, store: PageStore) -> None:
    log = folder.path / "events.jsonl"
    log.write_text(log.read_text().replace("opened in 1902", "opened in 1802"))
    done = replay(folder, store, lambda event: None)
    assert any("does not hold" in difference for difference in done.differences)
    assert any("different reports" in difference for difference in done.differences)


def test_a_page_that_is_gone_is_said(folder: RunFolder, finished: Report, tmp_path: Path) -> None:
    done = replay(folder, PageStore(tmp_path / "empty"), lambda event: None)
    assert done.spans == 0
    assert all("no longer kept" in difference for difference in done.differences)
    assert done.markdown == finished.markdown


async def test_a_run_that_was_stopped_is_replayed_as_far_as_it_came(
    researcher_with: MakeResearcher, runs: RunStore, store: PageStore
) -> None:
    engine = ScriptedEngine(
        [answer(("The harbour was opened in 1902.", [1])), EndpointError("the model is gone")]
    )
    with pytest.raises(EndpointError):
        await researcher_with(engine).run(QUESTION)
    done = replay(runs.get("last"), store, lambda event: None)
    assert (done.differences, done.markdown) == ([], None)
    assert done.events > 5


def test_the_command_says_what_differs(
    folder: RunFolder, finished: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    place = locations().runs
    place.parent.mkdir(parents=True, exist_ok=True)
    folder.path.parent.rename(place)
    assert run(["runs", "replay", "last"]) == ExitCode.FAILED
    shown = capsys.readouterr()
    assert shown.out == finished.markdown
    assert "no longer kept" in shown.err
