from pathlib import Path

import pytest

from leadline.agent.events import Event, UsageUpdated, Warned
from leadline.agent.run_store import RunStore
from leadline.budget import Usage
from leadline.errors import InputError, RunError


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


def test_a_run_is_called_as_a_person_wishes(store: RunStore) -> None:
    folder = store.create("Who is the mayor?", model="m", reader="r", sources=())
    assert folder.title == "Who is the mayor?"
    folder.rename(" The mayor\n of Port Alder ")
    assert store.get("last").title == "The mayor of Port Alder"
    assert folder.record.question == "Who is the mayor?"
    folder.rename("")
    assert folder.title == "Who is the mayor?"
    with pytest.raises(InputError, match="201 characters"):
        folder.rename("x" * 201)


def test_runs_are_found_by_their_words(store: RunStore) -> None:
    mayor = store.create("Who is the mayor?", model="m", reader="r", sources=())
    harbour = store.create("港口何时开放?", model="m", reader="r", sources=())
    harbour.rename("The harbour's Opening")
    damaged = store.create("Which mayor?", model="m", reader="r", sources=())
    (damaged.path / "report.json").write_text("{")
    assert [folder.path for folder in store.search("MAYOR who")] == [mayor.path]
    assert [folder.path for folder in store.search("opening")] == [harbour.path]
    assert [folder.path for folder in store.search("港口")] == [harbour.path]
    assert store.search("mayor harbour") == []


def test_a_deleted_run_leaves_nothing(store: RunStore, tmp_path: Path) -> None:
    kept = store.create("a", model="m", reader="r", sources=())
    gone = store.create("b", model="m", reader="r", sources=())
    store.delete(gone.path.name)
    assert [folder.path for folder in store.all()] == [kept.path]
    assert [path.name for path in (tmp_path / "runs").iterdir()] == [kept.path.name]
    with pytest.raises(RunError, match="no run"):
        store.delete(gone.path.name)


def test_what_a_crash_left_of_a_deleted_run_goes_with_the_next(
    store: RunStore, tmp_path: Path
) -> None:
    gone = store.create("b", model="m", reader="r", sources=())
    gone.path.rename(gone.path.with_name(".deleted-earlier"))
    assert store.all() == []
    store.delete(store.create("a", model="m", reader="r", sources=()).path.name)
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_run_under_way_is_nobody_elses(store: RunStore) -> None:
    folder = store.create("a", model="m", reader="r", sources=())
    log = folder.open_log(lambda event: None)
    with pytest.raises(RunError, match="under way"):
        store.delete(folder.path.name)
    with pytest.raises(RunError, match="under way"):
        folder.open_log(lambda event: None)
    log.close()
    store.delete(folder.path.name)
    assert store.all() == []
