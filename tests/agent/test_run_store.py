from pathlib import Path

import pytest

from leadline.agent.events import Event, UsageUpdated, Warned
from leadline.agent.run_store import RunStore
from leadline.budget import Usage
from leadline.errors import RunError


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


def test_events_are_numbered_kept_and_read_back(store: RunStore) -> None:
    folder = store.create("why?", model="m", reader="r", sources=("web",))
    seen: list[Event] = []
    log = folder.open_log(seen.append)
    log.emit(Warned(message="first"))
    log.emit(UsageUpdated(usage=Usage(pages=3)))
    log.close()
    assert [event.seq for event in seen] == [0, 1]
    assert all(event.run_id == folder.path.name for event in seen)
    assert list(folder.events()) == seen


def test_a_line_cut_off_by_a_crash_is_dropped_and_numbering_goes_on(store: RunStore) -> None:
    folder = store.create("why?", model="m", reader="r", sources=())
    log = folder.open_log(lambda event: None)
    log.emit(Warned(message="whole"))
    log.close()
    with (folder.path / "events.jsonl").open("ab") as file:
        file.write(b'{"kind": "warn')
    assert len(list(folder.events())) == 1
    log = folder.open_log(lambda event: None)
    log.emit(Warned(message="next"))
    log.close()
    assert [event.seq for event in folder.events()] == [0, 1]


def test_runs_are_found_by_part_of_their_id(store: RunStore) -> None:
    first = store.create("a", model="m", reader="r", sources=())
    assert store.get(first.path.name[-4:]).path == first.path
    assert store.get("last").path == first.path
    with pytest.raises(RunError, match="no run 'nonsense'"):
        store.get("nonsense")
    store.create("b", model="m", reader="r", sources=())
    with pytest.raises(RunError, match="fits 2 runs"):
        store.get(first.path.name[:4])


def test_a_damaged_report_is_named(store: RunStore) -> None:
    folder = store.create("a", model="m", reader="r", sources=())
    assert folder.report is None
    (folder.path / "report.json").write_text("{")
    with pytest.raises(RunError, match="damaged"):
        _ = folder.report
