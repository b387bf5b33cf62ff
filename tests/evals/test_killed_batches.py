"""A batch of two hundred tasks: its memory stays flat, and killed again and again it ends the same."""

from __future__ import annotations

import asyncio
import json
import os
import random
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from leadline.agent.corpus_source import CorpusSource
from leadline.agent.researcher import Researcher
from leadline.agent.run_store import RunStore
from leadline.cancellation import Cancellation
from leadline.evals.batch import (
    BatchProgress,
    BatchResult,
    BatchTask,
    Ledger,
    researching,
    run_batch,
)
from leadline.runtime.engine import GenerationRequest
from leadline.runtime.reader import FirstStageReader
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tools.corpus_catalogue import CorpusCatalogue
from leadline.tools.page_store import PageStore
from leadline.tools.passage_ranker import HybridRanker

from ..agent.killed_runs import repeated_work, work_lines, work_noted, work_to_end
from ..willing_endpoint import instance

TASKS = 200
WORKERS = 2
FLAT_BYTES = 8 * 2**20
"""By how much the process may grow from the fiftieth task to the last."""


@dataclass(frozen=True)
class Setting:
    folder: Path
    corpora: Path

    @property
    def output(self) -> Path:
        return self.folder / "out.jsonl"

    @property
    def results(self) -> list[BatchResult]:
        lines = self.output.read_text().splitlines()
        return [BatchResult.model_validate_json(line) for line in lines]


def reply(request: GenerationRequest) -> str:
    if request.json_schema is None:
        return "yes"
    return json.dumps(instance(dict(request.json_schema), request.messages[-1].content))


def work(setting: Setting) -> None:
    asyncio.run(do_batch(setting))


def catalogue(corpora: Path) -> CorpusCatalogue:
    return CorpusCatalogue(store=PageStore(corpora / "pages"), folder=corpora / "corpora")


async def do_batch(setting: Setting) -> None:
    def measure(step: BatchProgress) -> None:
        if step.done in (TASKS // 4, TASKS):
            (setting.folder / f"rss-{step.done}").write_text(str(rss_bytes()))

    runs = RunStore(setting.folder / "runs")
    cancel = Cancellation()
    researcher = Researcher(
        engine=ScriptedEngine(respond=reply),
        reader=FirstStageReader(HybridRanker(None)),
        sources=[CorpusSource(catalogue(setting.corpora).open("ports"))],
        pages=PageStore(setting.corpora / "pages"),
        runs=runs,
    )
    questions = [f"When was the harbour of Port {n} opened?" for n in range(TASKS)]
    with work_noted(setting.folder):
        await run_batch(
            [
                BatchTask(instance_id=str(n), query=question, kind="question")
                for n, question in enumerate(questions)
            ],
            trials=1,
            workers=WORKERS,
            ledger=Ledger(setting.output),
            work=researching(researcher, runs, seconds=None, cancel=cancel),
            cancel=cancel,
            on_result=measure,
        )


def rss_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@pytest.fixture
async def corpora(tmp_path: Path) -> Path:
    documents = tmp_path / "documents"
    documents.mkdir()
    for n in range(TASKS):
        text = f"# Port {n}\n\nThe harbour of Port {n} was opened in {1700 + n}.\n"
        (documents / f"{n}.md").write_text(text)
    corpus = catalogue(tmp_path).add("ports", str(documents), embeddings=False)
    await corpus.update(cancel=Cancellation())
    corpus.close()
    return tmp_path


def told(setting: Setting) -> dict[str, tuple[str, str, str]]:
    """What each task came to, apart from ids and times."""
    return {
        result.instance_id: (
            result.status,
            result.error,
            result.response.replace(result.run_id, "RUN"),
        )
        for result in setting.results
    }


@pytest.mark.slow
def test_two_hundred_tasks_killed_five_times_end_as_if_they_had_not_been(
    corpora: Path, tmp_path: Path
) -> None:
    whole, killed = (Setting(tmp_path / name, corpora) for name in ("whole", "killed"))
    for setting in (whole, killed):
        setting.folder.mkdir()
    started = time.monotonic()
    work_to_end(work, whole)
    seconds = time.monotonic() - started
    assert len(whole.results) == TASKS
    assert {result.status for result in whole.results} == {"complete"}
    assert all(f"in {1700 + int(r.instance_id)}" in r.response for r in whole.results)
    early, late = (int((whole.folder / f"rss-{n}").read_text()) for n in (TASKS // 4, TASKS))
    print(f"{seconds:.0f} s, RSS {early / 2**20:.1f} then {late / 2**20:.1f} MiB")
    assert abs(late - early) < FLAT_BYTES

    chance = random.Random(5)
    kills = [chance.uniform(0, seconds / 4) for _ in range(5)]
    work_to_end(work, killed, kill_after=kills)
    assert work_lines(killed.folder).count("started") == 1 + len(kills)
    assert len(killed.results) == TASKS
    assert told(killed) == told(whole)
    assert repeated_work(killed.folder) == []
    run_ids = {result.run_id for result in killed.results}
    assert len(run_ids) == TASKS
    begun = RunStore(killed.folder / "runs").all()
    # a kill may hit a run before its first event, which is then begun anew
    assert run_ids <= {run.path.name for run in begun}
    assert len(begun) <= TASKS + WORKERS * len(kills)
