from __future__ import annotations

from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, StorageError
from leadline.evals import methods, multihop
from leadline.evals.bench import Bench
from leadline.evals.reading_method import ReadingMethod
from leadline.evals.scores import Score
from leadline.evals.trials import FinishedTrials, run_trials
from leadline.locations import locations
from leadline.settings import load_settings

from .scripted_method import ScriptedMethod
from .tiny_data import write_multihop


def bench(cancel: Cancellation | None = None) -> Bench:
    return Bench(load_settings(), cancel=cancel or Cancellation(), warn=print)


def score(value: float = 1.0) -> Score:
    return Score(method="a", model="m", sets=("s",), question="q", shares={"recall": value})


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[ScriptedMethod]:
    """Every method that is opened under the name "first" or "second"."""
    made: list[ScriptedMethod] = []

    async def open_scripted(name: str, bench: Bench) -> ReadingMethod:
        made.append(ScriptedMethod(lambda _: ["oak"], name=name))
        return made[-1]

    for name in ("first", "second"):
        monkeypatch.setitem(methods.METHODS, name, open_scripted)
    return made


async def test_an_interrupted_run_goes_on_where_it_stopped(
    tmp_path: Path, opened: list[ScriptedMethod]
) -> None:
    evaluation = multihop.load(write_multihop(tmp_path), sets=["musique-window"], part="all")
    path = tmp_path / "finished.jsonl"
    stop = Cancellation()
    stopped = Bench(
        load_settings(),
        cancel=stop,
        progress=lambda task, done, total, unit: (
            stop.cancel() if (task, done) == ("multihop, second", 5) else None
        ),
        warn=print,
    )
    with pytest.raises(Cancelled):
        await run_trials(evaluation, ["first", "second"], FinishedTrials(path), stopped)
    assert [len(method.asked) for method in opened] == [52, 5]

    resumed = FinishedTrials(path)
    assert len(resumed) == 57
    scores = await run_trials(evaluation, ["first", "second"], resumed, bench())
    # The first method is not even opened again.
    assert [(method.name, len(method.asked)) for method in opened[2:]] == [("second", 47)]
    assert [(s.method, s.question) for s in scores] == [
        (name, trial.item.question)  # type: ignore[attr-defined]
        for name in ("first", "second")
        for trial in evaluation.trials
    ]
    resumed.forget()
    assert not path.exists()
    assert len(FinishedTrials(path)) == 0


@pytest.mark.parametrize("torn", [b'{"method": "a", "tri', b"\x00\xff\n", b"{}\n"])
def test_a_torn_line_is_measured_again(torn: bytes, tmp_path: Path) -> None:
    path = tmp_path / "finished.jsonl"
    finished = FinishedTrials(path)
    finished.add("a", "1", [score()])
    path.write_bytes(path.read_bytes() + torn)
    reopened = FinishedTrials(path)
    assert reopened.get("a", "1") == (score(),)
    reopened.add("a", "2", [score(0.5)])
    assert FinishedTrials(path).get("a", "2") == (score(0.5),)
    assert FinishedTrials(path).get("b", "1") is None


def test_a_line_without_its_end_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "finished.jsonl"
    finished = FinishedTrials(path)
    finished.add("a", "1", [score()])
    finished.add("a", "2", [score()])
    path.write_bytes(path.read_bytes()[:-1])
    reopened = FinishedTrials(path)
    assert reopened.get("a", "2") is None
    reopened.add("a", "3", [score()])
    again = FinishedTrials(path)
    assert again.get("a", "1") and again.get("a", "3")


def test_other_data_or_settings_are_another_run() -> None:
    first = FinishedTrials.of_run("needle", "d1", {"seed": 1})
    first.add("a", "1", [score()])
    assert len(FinishedTrials.of_run("needle", "d1", {"seed": 1})) == 1
    assert len(FinishedTrials.of_run("needle", "d1", {"seed": 2})) == 0
    assert len(FinishedTrials.of_run("needle", "d2", {"seed": 1})) == 0
    [path] = (locations().cache / "evals").iterdir()
    assert path.name.startswith("needle-")


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(StorageError, match="taken"):
        FinishedTrials(tmp_path / "taken" / "finished.jsonl").add("a", "1", [score()])
