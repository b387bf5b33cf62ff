"""What runs remember, what is offered of it, and what is left once it is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from leadline.agent.events import Event, PageRecalled
from leadline.agent.memory import Memory
from leadline.agent.memory_source import MemorySource
from leadline.agent.report import Claim, Report
from leadline.agent.researcher import Researcher
from leadline.agent.run_store import RunStore
from leadline.budget import Usage
from leadline.cancellation import Cancellation
from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run
from leadline.evidence import Citation, Page
from leadline.locations import locations
from leadline.progress import Progress
from leadline.runtime.reader import FirstStageReader
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tools.extraction import extract
from leadline.tools.page_store import PageStore
from leadline.tools.passage_ranker import HybridRanker

from .conftest import SUPPORTED, answer

HARBOUR = "The harbour of Port Alder was opened in 1902."
FERRY = "The ferry to Elm Island takes 45 minutes."
THEN = datetime(2026, 3, 1, tzinfo=UTC)


class Synonyms:
    """Embeds texts by which of a few notions they name."""

    model_id = "synonyms"
    dimensions = 3

    def embed(
        self, texts: Sequence[str], *, cancel: Cancellation, progress: Progress
    ) -> np.ndarray:
        notions = (("harbour", "haven"), ("ferry", "boat"))
        rows = [[any(word in text.lower() for word in n) for n in notions] for text in texts]
        vectors = np.array([[*row, not any(row)] for row in rows], dtype=np.float32)
        unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


def page_of(store: PageStore, text: str) -> Page:
    url = f"https://alder.example/{text.split()[1]}"
    return store.put(
        text.encode(),
        url=url,
        final_url=url,
        media_type="text/plain",
        fetched_at=THEN,
        extracted=extract(text.encode(), name="page.txt"),
    )


def finish(
    runs: RunStore, question: str, page: Page, *, open_questions: tuple[str, ...] = ()
) -> str:
    """A run that claims what ``page`` says."""
    folder = runs.create(question, model="m", reader="r", sources=("web",))
    citation = Citation.of(page.span(0, len(page.text.strip())), page)
    report = Report(
        run_id=folder.path.name,
        status="complete",
        question=question,
        markdown="",
        claims=(Claim(text=page.text.strip(), citations=(citation,), verdict="supported"),),
        open_questions=open_questions,
        usage=Usage(),
        started_at=THEN,
        finished_at=THEN,
    )
    folder.save_report(report)
    return report.run_id


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path / "memory")
    yield memory
    memory.close()


def recalled(memory: Memory, query: str) -> list[str]:
    return [found.claim for found in memory.recall(query, limit=5, cancel=Cancellation())]


def test_claims_are_recalled_by_their_words_with_their_dates(
    memory: Memory, runs: RunStore, store: PageStore
) -> None:
    run_id = finish(runs, "When was it opened?", page_of(store, HARBOUR))
    finish(runs, "How long does it take?", page_of(store, FERRY))
    memory.update(runs, cancel=Cancellation())
    memory.update(runs, cancel=Cancellation())
    [found] = memory.recall("the opening of the harbour", limit=5, cancel=Cancellation())
    assert (found.run_id, found.finished_at, found.quote) == (run_id, THEN, HARBOUR)
    assert [remembered.claims for remembered in memory.runs()] == [1, 1]


def test_claims_are_recalled_by_their_meaning(
    runs: RunStore, store: PageStore, tmp_path: Path
) -> None:
    memory = Memory(tmp_path / "memory", embedder=Synonyms())
    finish(runs, "When was it opened?", page_of(store, HARBOUR))
    finish(runs, "How long does it take?", page_of(store, FERRY))
    memory.update(runs, cancel=Cancellation())
    assert recalled(memory, "boat")[0] == FERRY
    memory.forget([remembered.run_id for remembered in memory.runs()])
    assert recalled(memory, "boat") == []
    memory.close()


def test_what_is_forgotten_is_gone_from_the_disk_and_stays_away(
    memory: Memory, runs: RunStore, store: PageStore, tmp_path: Path
) -> None:
    forgotten = finish(runs, "When was it opened?", page_of(store, HARBOUR))
    finish(runs, "How long does it take?", page_of(store, FERRY))
    memory.update(runs, cancel=Cancellation())
    memory.forget([forgotten])
    memory.update(runs, cancel=Cancellation())
    assert recalled(memory, "harbour opened ferry") == [FERRY]
    files = [path for path in (tmp_path / "memory").rglob("*") if path.is_file()]
    assert files
    assert not any(b"1902" in path.read_bytes() for path in files)


def test_what_a_removed_run_found_goes_with_it(
    memory: Memory, runs: RunStore, store: PageStore
) -> None:
    run_id = finish(runs, "When was it opened?", page_of(store, HARBOUR))
    memory.update(runs, cancel=Cancellation())
    runs.delete(run_id)
    memory.drop_removed(runs)
    assert recalled(memory, "harbour") == []
    assert memory.runs() == []


def test_questions_left_open_are_suggested_first(
    memory: Memory, runs: RunStore, store: PageStore
) -> None:
    asked = "When was the harbour opened?"
    finish(runs, asked, page_of(store, HARBOUR), open_questions=("Who built the harbour?",))
    finish(runs, "Which ferries leave the harbour?", page_of(store, HARBOUR))
    memory.update(runs, cancel=Cancellation())
    found = memory.suggestions("when was the harbour opened", limit=5, cancel=Cancellation())
    assert [(suggestion.question, suggestion.open) for suggestion in found] == [
        ("Who built the harbour?", True),
        ("Which ferries leave the harbour?", False),
    ]


async def test_a_run_reads_what_an_earlier_one_rested_on(
    memory: Memory, runs: RunStore, store: PageStore
) -> None:
    earlier = finish(runs, "When was it opened?", page_of(store, HARBOUR))
    engine = ScriptedEngine([answer(("The harbour was opened in 1902.", [1])), SUPPORTED])
    researcher = Researcher(
        engine=engine,
        reader=FirstStageReader(HybridRanker(None)),
        sources=[MemorySource(memory, runs, store)],
        pages=store,
        runs=runs,
    )
    events: list[Event] = []
    report = await researcher.run("When was the harbour opened?", on_event=events.append)
    assert report.status == "complete"
    [event] = [event for event in events if isinstance(event, PageRecalled)]
    assert (event.earlier_run, event.found_at) == (earlier, THEN)


async def test_a_page_that_is_no_longer_kept_is_not_offered(
    memory: Memory, runs: RunStore, store: PageStore, tmp_path: Path
) -> None:
    finish(runs, "When was it opened?", page_of(store, HARBOUR))
    for pages, count in ((store, 1), (PageStore(tmp_path / "elsewhere"), 0)):
        source = MemorySource(memory, runs, pages)
        found = await source.find("harbour", limit=3, cancel=Cancellation())
        assert (len(found.pages), len(found.recalled)) == (count, count)


@pytest.fixture
def remembered(home: Path) -> Callable[[], str]:
    """Finishes a run in the user's own folders; its id."""
    store = PageStore(locations().pages)
    runs = RunStore(locations().runs)
    return lambda: finish(runs, "When was it opened?", page_of(store, HARBOUR))


def test_the_command_lists_suggests_and_forgets(
    remembered: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["memory", "list"]) == ExitCode.OK
    assert "Nothing is remembered" in capsys.readouterr().out
    run_id = remembered()
    assert run(["memory", "list"]) == ExitCode.OK
    assert f"{run_id}  2026-03-01     1 claims" in capsys.readouterr().out
    assert run(["memory", "suggest", "the harbour of Port Alder"]) == ExitCode.OK
    assert "When was it opened?" in capsys.readouterr().out
    assert run(["memory", "rm"]) == ExitCode.USAGE
    capsys.readouterr()
    assert run(["memory", "rm", "--older-than", "1"]) == ExitCode.OK
    assert capsys.readouterr().out == "1 runs are forgotten\n"
    assert run(["memory", "rm", run_id]) == ExitCode.OK
    assert capsys.readouterr().out == "0 runs are forgotten\n"


def test_a_removed_run_is_forgotten(
    remembered: Callable[[], str], capsys: pytest.CaptureFixture[str]
) -> None:
    remembered()
    run(["memory", "list"])
    assert run(["runs", "rm", "last"]) == ExitCode.OK
    capsys.readouterr()
    run(["memory", "list"])
    assert "Nothing is remembered" in capsys.readouterr().out
