"""A run in a process of its own, over the test site, that can be killed and gone on with.

The processes are forked from a server that has imported everything, so that a start takes a tenth
of a second.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Protocol, TypeVar

from leadline.agent.event_log import FINISHED_WORK
from leadline.agent.journal import Journal
from leadline.agent.report import Report
from leadline.agent.researcher import Researcher
from leadline.agent.run_store import RunStore
from leadline.agent.toolbox import Effort
from leadline.agent.web_source import WebSource
from leadline.cancellation import Cancellation
from leadline.runtime.engine import Engine, Generation, GenerationRequest, Message, TextDelta
from leadline.runtime.llama_engine import LlamaEngine
from leadline.runtime.reader import FirstStageReader
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tools.fetch import Fetcher, FetchLimits
from leadline.tools.network_guard import NetworkGuard
from leadline.tools.page_store import PageStore
from leadline.tools.passage_ranker import HybridRanker
from leadline.tools.search.kept_search import KeptSearch, SearchAnswers
from leadline.tools.search.searxng_search import SearxngSearch
from leadline.tools.web_pages import Reuse, WebPages

from ..web.served_pages import depth_at

QUESTION = "Which is deeper, the water at buoy 7, at buoy 12, at buoy 3 or at buoy 21?"
_BUOYS = (7, 12, 3, 21)
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class Setting:
    """What a run needs of its surroundings."""

    folder: Path
    site: str
    """host:port of the test site."""
    model: Path | None = None
    """A GGUF file; without one a scripted model answers."""
    answer_seconds: float = 0.02


@dataclass
class Outcome:
    """A run as it ended, and what all its processes did."""

    report: Report
    done: Counter[str]
    """What the log says was done, and how many times."""
    repeated: list[str] = field(default_factory=list)
    """Work that was begun although it had been finished."""
    processes: int = 0


class SlowEngine:
    """Answers as ``engine`` does, later."""

    def __init__(self, engine: Engine, seconds: float) -> None:
        self._engine, self._seconds = engine, seconds
        self.model_id, self.context_tokens = engine.model_id, engine.context_tokens

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        return await self._engine.count_tokens(messages)

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        await asyncio.sleep(self._seconds)
        async for item in self._engine.stream(request, cancel=cancel):
            yield item

    async def generate(self, request: GenerationRequest, *, cancel: Cancellation) -> Generation:
        await asyncio.sleep(self._seconds)
        return await self._engine.generate(request, cancel=cancel)

    async def aclose(self) -> None:
        await self._engine.aclose()


def reply(request: GenerationRequest) -> str:
    """What a model that reads its prompt would say, by the fields that it is asked for."""
    if request.json_schema is None:
        return "yes"
    fields = request.json_schema["properties"]
    assert isinstance(fields, dict)
    prompt = request.messages[-1].content
    if "sub_questions" in fields:
        asked = [{"question": f"How deep is the water at buoy {n}?"} for n in _BUOYS]
        return json.dumps({"kind": "comparison", "sub_questions": asked})
    if "enough" in fields:
        return json.dumps({"enough": True, "question": ""})
    if "found" in fields:
        return json.dumps(_found(prompt))
    if "statements" in fields:
        notes = [int(number) for number in re.findall(r"^\[(\d+)\]", prompt, re.MULTILINE)]
        text = f"Buoy {max(_BUOYS, key=depth_at)} lies deepest."
        return json.dumps({"statements": [{"text": text, "notes": notes[:4]}]})
    return json.dumps({"queries": []})


def _found(prompt: str) -> dict[str, object]:
    asked = re.findall(r"at buoy (\d+)\?", prompt)
    buoy = int(asked[-1]) if asked else _BUOYS[0]
    passage = re.search(rf"\[(\d+)\][^\[]*buoy {buoy} is {depth_at(buoy)} fathoms", prompt)
    if passage is None:
        return {"found": False, "statements": []}
    text = f"The water at buoy {buoy} is {depth_at(buoy)} fathoms deep."
    return {"found": True, "statements": [{"text": text, "passages": [int(passage[1])]}]}


class _InFolder(Protocol):
    @property
    def folder(self) -> Path: ...


S = TypeVar("S", bound=_InFolder)


def start(work: Callable[[S], None], setting: S) -> ForkServerProcess:
    """A process that does ``work``, or goes on with it."""
    process = _PROCESSES.Process(target=work, args=(setting,), daemon=True)
    process.start()
    return process


def finish(setting: Setting, *, kill_after: Sequence[float] = ()) -> Outcome:
    """Bring the run to its end, killing its process after each number of seconds first."""
    work_to_end(_work, setting, kill_after=kill_after)
    return _outcome(setting)


def work_to_end(work: Callable[[S], None], setting: S, *, kill_after: Sequence[float] = ()) -> None:
    """Have ``work`` done, killing its process so many seconds after it wrote that it started."""
    started = setting.folder / "started"
    for seconds in kill_after:
        started.unlink(missing_ok=True)
        process = start(work, setting)
        while not started.exists() and process.is_alive():
            time.sleep(0.005)
        process.join(seconds)
        if process.is_alive():
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
        process.join()
    process = start(work, setting)
    process.join()
    assert process.exitcode == 0, "the work did not reach its end"


def _outcome(setting: Setting) -> Outcome:
    [folder] = RunStore(setting.folder / "runs").all()
    report = folder.report
    assert report is not None
    done = Counter(
        event.model_dump_json(exclude={"run_id", "seq", "ts", "seconds"})
        for event in folder.events()
        if event.kind in FINISHED_WORK
    )
    lines = work_lines(setting.folder)
    return Outcome(report, done, repeated_work(setting.folder), lines.count("started"))


def repeated_work(folder: Path) -> list[str]:
    """What processes in ``folder`` began although it had been finished."""
    finished: set[str] = set()
    repeated = []
    for line in work_lines(folder):
        verb, _, work = line.partition(" ")
        if verb == "finished":
            finished.add(work)
        elif verb == "begun" and work in finished:
            repeated.append(work)
    return repeated


def work_lines(folder: Path) -> list[str]:
    """What :func:`work_noted` wrote."""
    return (folder / "work.log").read_text().splitlines()


def _work(setting: Setting) -> None:
    asyncio.run(_run(setting))


async def _run(setting: Setting) -> None:
    engine: Engine = ScriptedEngine(respond=reply)
    if setting.model is not None:
        engine = await LlamaEngine.open(setting.model)
    with work_noted(setting.folder):
        store = PageStore(setting.folder / "pages")
        answers = SearchAnswers(setting.folder / "web")
        guard = NetworkGuard(allow_hosts=[setting.site])
        limits = FetchLimits(host_delay=0.0)
        reuse = Reuse(seconds=3600)
        async with Fetcher(guard, limits=limits, cache=setting.folder / "web") as fetcher:
            search = KeptSearch(SearxngSearch(f"http://{setting.site}"), answers, reuse)
            runs = RunStore(setting.folder / "runs")
            researcher = Researcher(
                engine=SlowEngine(engine, setting.answer_seconds),
                reader=FirstStageReader(HybridRanker(None)),
                sources=[WebSource(search, WebPages(fetcher, store, reuse))],
                pages=store,
                runs=runs,
                effort=Effort(pages_per_question=3),
            )
            if runs.all():
                await researcher.resume("last")
            else:
                await researcher.run(QUESTION)


@contextmanager
def work_noted(folder: Path) -> Iterator[None]:
    """Write that it starts, what is begun because no journal has it, and what one has kept."""
    with (folder / "work.log").open("a", buffering=1) as log:
        _note_work(log.write)
        log.write("started\n")
        (folder / "started").touch()
        yield


def _note_work(write: object) -> None:
    """Have the journal say what is begun, because it is not there, and what is kept."""
    assert callable(write)
    find, keep = Journal.find, Journal.keep

    def noting_find(self: Journal, work: str, *rest: object) -> object:
        result = find(self, work, *rest)  # type: ignore[arg-type]
        if result is None:
            write(f"begun {json.dumps(work)}\n")
        return result

    def noting_keep(self: Journal, work: str, *rest: object) -> None:
        keep(self, work, *rest)  # type: ignore[arg-type]
        write(f"finished {json.dumps(work)}\n")

    Journal.find, Journal.keep = noting_find, noting_keep  # type: ignore[assignment,method-assign]
