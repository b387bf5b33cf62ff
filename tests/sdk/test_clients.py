"""Both clients, from a question to a report, over real files with an engine that follows rules."""

from __future__ import annotations

import asyncio
import os
import tempfile
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from leadline import AsyncLeadline, Cancellation, Leadline, Limits, Page, Report, Steering
from leadline.agent.steering import AddQuestion
from leadline.cancellation import unless_cancelled
from leadline.errors import Cancelled, ConfigError, InputError, RunError
from leadline.runtime.engine import Generation, GenerationRequest, TextDelta
from own_engine import QUESTION, RuleEngine

ANSWER = "opened in 1902"


class WaitingEngine(RuleEngine):
    """Answers once it is released; says when ``expected`` requests wait."""

    def __init__(self, expected: int = 1) -> None:
        self.release, self.waiting = asyncio.Event(), asyncio.Event()
        self._missing = expected

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        self._missing -= 1
        if self._missing <= 0:
            self.waiting.set()
        await unless_cancelled(self.release.wait(), cancel)
        async for item in super().stream(request, cancel=cancel):
            yield item


def test_a_question_in_five_lines(blocking: Callable[..., Leadline]) -> None:
    with blocking() as lead:
        report = lead.run(QUESTION)
    assert report.status == "complete"
    assert ANSWER in report.to_markdown()
    assert type(report).from_dict(report.to_dict()) == report
    [claim] = report.claims
    assert ANSWER in claim.citations[0].quote


def test_a_stream_ends_in_the_report(blocking: Callable[..., Leadline]) -> None:
    with blocking() as lead, lead.stream(QUESTION) as events:
        with pytest.raises(RunError, match="not finished"):
            _ = events.report
        kinds = [event.kind for event in events]
        report = events.report
    assert kinds[0] == "run.started"
    assert "run.finished" in kinds
    assert ANSWER in report.markdown


def test_every_event_is_told_in_order(documents: Path) -> None:
    mine: list[int] = []
    all_: list[int] = []
    with Leadline(
        corpora=[documents],
        engine=RuleEngine(),
        reader="none",
        on_event=lambda event: all_.append(event.seq),
    ) as lead:
        lead.run(QUESTION, on_event=lambda event: mine.append(event.seq))
    assert mine == all_ == list(range(len(mine)))


def test_reading_quotes_a_file_to_the_letter(
    documents: Path, blocking: Callable[..., Leadline]
) -> None:
    with blocking() as lead:
        result = lead.read(documents / "ferry.md", "When does the ferry leave?")
        pages = lead.search("ferry to Elm Island", limit=1)
        again = lead.read(pages, "When does the ferry leave?")
    assert "07:30" in result.evidence[0].quote
    assert type(result).from_dict(result.to_dict()) == result
    assert "07:30" in result.to_markdown()
    assert [item.quote for item in again.evidence] == [item.quote for item in result.evidence]


def test_what_cannot_be_read_is_an_error(blocking: Callable[..., Leadline]) -> None:
    with blocking() as lead:
        with pytest.raises(InputError, match="no file or folder"):
            lead.read("nowhere.md", "When?")
        with pytest.raises(InputError, match="question is empty"):
            lead.run("  ")
        with pytest.raises(RunError, match="no run"):
            lead.resume("nothing")


def test_settings_are_checked_when_the_client_is_made() -> None:
    with pytest.raises(ConfigError, match="did you mean 'model'"):
        Leadline(modle="x")
    assert Leadline(seconds=7, reader="none").settings.seconds == 7


def test_a_closed_client_says_so(blocking: Callable[..., Leadline]) -> None:
    lead = blocking()
    lead.close()
    lead.close()
    with pytest.raises(RunError, match="closed"):
        lead.run(QUESTION)


async def test_blocking_works_where_a_loop_runs(blocking: Callable[..., Leadline]) -> None:
    with blocking() as lead:
        assert ANSWER in lead.run(QUESTION).markdown


def test_a_run_is_stopped_from_another_thread_and_resumed(
    blocking: Callable[..., Leadline],
) -> None:
    engine = WaitingEngine()
    cancel = Cancellation()
    with blocking(engine) as lead:
        threading.Timer(0.5, cancel.cancel).start()
        with pytest.raises(Cancelled):
            lead.run(QUESTION, cancel=cancel)
        engine.release.set()
        assert ANSWER in lead.resume("last").markdown


def test_limits_end_in_a_labelled_report(blocking: Callable[..., Leadline]) -> None:
    with blocking(WaitingEngine()) as lead:
        assert lead.run(QUESTION, limits=Limits(seconds=0.2)).status == "budget_exhausted"


async def test_a_stream_that_is_left_stops_its_run(awaited: Callable[..., AsyncLeadline]) -> None:
    engine = WaitingEngine()
    async with awaited(engine) as lead:
        async with lead.stream(QUESTION) as events:
            async for _ in events:
                break
        engine.release.set()
        report = await lead.resume("last")
    assert ANSWER in report.markdown


async def test_cancelling_the_task_stops_the_run_within_two_seconds(
    awaited: Callable[..., AsyncLeadline],
) -> None:
    engine = WaitingEngine()
    async with awaited(engine) as lead:
        task = asyncio.create_task(lead.run(QUESTION))
        await engine.waiting.wait()
        task.cancel()
        async with asyncio.timeout(10):
            with pytest.raises(asyncio.CancelledError):
                await task


async def test_closing_stops_what_is_under_way(awaited: Callable[..., AsyncLeadline]) -> None:
    engine = WaitingEngine()
    lead = awaited(engine)
    task = asyncio.create_task(lead.run(QUESTION))
    await engine.waiting.wait()
    await lead.aclose()
    with pytest.raises(Cancelled):
        await task


def open_sockets() -> int:
    links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    return sum(os.path.islink(link) and os.readlink(link).startswith("socket:") for link in links)


def test_twenty_runs_at_once_are_apart_and_leave_nothing(
    documents: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    before = set(threading.enumerate()), open_sockets()
    seen: dict[str, set[str]] = {}

    async def main() -> None:
        engine = WaitingEngine(expected=20)
        outcomes: list[object] = []
        async with AsyncLeadline(
            corpora=[documents],
            engine=engine,
            reader="none",
            on_event=lambda event: seen.setdefault(event.run_id, set()).add(event.kind),
        ) as lead:
            questions = [f"{QUESTION} Ask number {number}." for number in range(20)]
            tasks = [asyncio.create_task(lead.run(question)) for question in questions]
            await engine.waiting.wait()
            for task in tasks[::2]:
                task.cancel()
            await asyncio.wait(tasks[::2])
            engine.release.set()
            outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for number, outcome in enumerate(outcomes):
            if number % 2 == 0:
                assert isinstance(outcome, asyncio.CancelledError)
            else:
                assert isinstance(outcome, Report), outcome
                assert outcome.question == questions[number]
                assert ANSWER in outcome.markdown
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    finished = [run_id for run_id, kinds in seen.items() if "run.finished" in kinds]
    assert (len(seen), len(finished)) == (20, 10)
    assert (set(threading.enumerate()), open_sockets()) == before
    assert list(temporary.iterdir()) == []


async def test_pages_of_ones_own_are_read(awaited: Callable[..., AsyncLeadline]) -> None:
    async with awaited() as lead:
        [page, *_] = await lead.search(QUESTION)
        assert isinstance(page, Page)
        with pytest.raises(InputError):
            await lead.read([page], "?")


def test_a_plan_is_edited_while_it_is_worked_on(blocking: Callable[..., Leadline]) -> None:
    steering = Steering()
    steering.edit(AddQuestion(text="How many berths does the harbour of Port Alder have?"))
    with blocking() as lead, lead.stream(QUESTION, steering=steering) as events:
        edits = [event for event in events if event.kind == "plan.edited"]
    assert [edit.refused for edit in edits] == [""]


def test_a_question_is_asked_on_the_pages_of_an_earlier_run(
    blocking: Callable[..., Leadline],
) -> None:
    with blocking() as lead:
        first = lead.run(QUESTION)
        second = lead.follow_up(first.run_id, "How many berths does the harbour have?")
    assert second.run_id != first.run_id
    assert second.claims
