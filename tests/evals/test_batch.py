from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from leadline.agent.corpus_source import CorpusSource
from leadline.agent.researcher import Researcher
from leadline.agent.run_store import RunStore
from leadline.agent.toolbox import Effort
from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ConfigError, ModelError
from leadline.evals.batch import (
    BatchProgress,
    BatchResult,
    Ledger,
    Trial,
    load_batch,
    researching,
    run_batch,
)
from leadline.evals.widesearch.judge import LiteralJudge
from leadline.evals.widesearch.responses import load_responses
from leadline.evals.widesearch.rules import CorrectedRules
from leadline.evals.widesearch.scoring import score_response
from leadline.evals.widesearch.tasks import Evaluation
from leadline.runtime.engine import GenerationRequest
from leadline.runtime.reader import FirstStageReader
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tools.corpus_catalogue import CorpusCatalogue
from leadline.tools.page_store import PageStore
from leadline.tools.passage_ranker import HybridRanker

PAGE = """<html><head><title>Rivers</title></head><body><h1>Rivers</h1><p>All of them.</p><table>
<tr><th>River</th><th>Length</th></tr><tr><td>Elm</td><td>10</td></tr></table></body></html>"""


def tasks_file(tmp_path: Path, count: int) -> Path:
    path = tmp_path / "tasks.jsonl"
    lines = [
        {"id": n, "query": f"Task {n}: all rivers. Columns: River, Length", "keys": ["River"]}
        for n in range(count)
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


def answers(request: GenerationRequest) -> str:
    system = request.messages[0].content
    if "A user asks for a table" in system:
        return json.dumps({"subject": "rivers", "columns": [], "keys": []})
    if "Which of the numbered tables" in system:
        return json.dumps({"tables": [1]})
    return json.dumps({"queries": []})


@pytest.fixture
def runs(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "runs")


@pytest.fixture
async def researcher_with(
    tmp_path: Path, runs: RunStore
) -> Callable[[Callable[[GenerationRequest], str]], Researcher]:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "rivers.html").write_text(PAGE)
    store = PageStore(tmp_path / "pages")
    corpus = CorpusCatalogue(store=store).add("rivers", str(folder), embeddings=False)
    await corpus.update(cancel=Cancellation())

    def make(respond: Callable[[GenerationRequest], str]) -> Researcher:
        return Researcher(
            engine=ScriptedEngine(respond=respond),
            reader=FirstStageReader(HybridRanker(None)),
            sources=[CorpusSource(corpus)],
            pages=store,
            runs=runs,
            effort=Effort(table_rounds=1),
        )

    return make


MakeResearcher = Callable[[Callable[[GenerationRequest], str]], Researcher]


async def go(
    tasks: Path,
    output: Path,
    researcher: Researcher,
    runs: RunStore,
    *,
    cancel: Cancellation | None = None,
    on_result: Callable[[BatchProgress], None] = lambda step: None,
    trials: int = 1,
    workers: int = 1,
) -> int:
    cancel = cancel or Cancellation()
    ledger = Ledger(output)
    return await run_batch(
        load_batch(tasks).tasks,
        trials=trials,
        workers=workers,
        ledger=ledger,
        work=researching(researcher, runs, seconds=None, cancel=cancel),
        cancel=cancel,
        on_result=on_result,
    )


def results(output: Path) -> list[BatchResult]:
    return [BatchResult.model_validate_json(line) for line in output.read_text().splitlines()]


async def test_every_trial_of_every_task_is_written_down(
    tmp_path: Path, runs: RunStore, researcher_with: MakeResearcher
) -> None:
    output = tmp_path / "out.jsonl"
    steps: list[BatchProgress] = []
    failed = await go(
        tasks_file(tmp_path, 3),
        output,
        researcher_with(answers),
        runs,
        trials=2,
        workers=3,
        on_result=steps.append,
    )
    assert failed == 0
    found = {(result.instance_id, result.trial_idx) for result in results(output)}
    assert found == {(str(n), trial) for n in range(3) for trial in range(2)}
    assert all("| Elm | 10 |" in result.response for result in results(output))
    assert [step.done for step in steps] == list(range(1, 7))
    assert steps[-1].seconds_left == 0
    assert len(load_responses([output]).responses) == 6


async def test_a_task_that_fails_stops_no_other_and_is_tried_again(
    tmp_path: Path, runs: RunStore, researcher_with: MakeResearcher
) -> None:
    def fails_once(request: GenerationRequest) -> str:
        if "Task 1" in request.messages[-1].content:
            raise broken[0]
        return answers(request)

    output, tasks = tmp_path / "out.jsonl", tasks_file(tmp_path, 3)
    for error in (ModelError("no model"), RuntimeError("a defect")):
        broken = [error]
        assert await go(tasks, output, researcher_with(fails_once), runs) == 1
        errors = {result.instance_id: result.error for result in results(output)}
        assert len(errors) == 3
        assert str(error) in errors["1"]
        assert not errors["0"] and not errors["2"]
    assert await go(tasks, output, researcher_with(answers), runs) == 0
    assert not any(result.error for result in results(output))


async def test_a_batch_that_was_stopped_goes_on_inside_its_run(
    tmp_path: Path, runs: RunStore, researcher_with: MakeResearcher
) -> None:
    output, tasks = tmp_path / "out.jsonl", tasks_file(tmp_path, 4)
    for stop_at in range(4):
        cancel, asked = Cancellation(), [0]

        def stops(request: GenerationRequest, cancel: Cancellation = cancel) -> str:
            asked[0] += 1  # noqa: B023 read in this round only
            if "Which of the numbered tables" in request.messages[0].content:
                cancel.cancel()
            return answers(request)

        with pytest.raises(Cancelled):
            await go(tasks, output, researcher_with(stops), runs, cancel=cancel)
        assert asked[0] == (2 if stop_at == 0 else 1), "the plan was made before"
    assert len(runs.all()) == 1
    assert await go(tasks, output, researcher_with(answers), runs) == 0
    assert len(runs.all()) == 4
    assert [result.instance_id for result in results(output)] == ["0", "1", "2", "3"]
    output.write_text(output.read_text()[:-20])
    assert await go(tasks, output, researcher_with(answers), runs) == 0
    assert sorted(result.instance_id for result in results(output)) == ["0", "1", "2", "3"]
    assert len(runs.all()) == 4


def test_bad_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    lines = ['{"id": 1, "query": "a"}', "{", '{"id": 1, "query": "b"}', '{"query": "c"}', "[1]"]
    path.write_text("\n".join([*lines, '{"instance_id": "x", "question": "Why?"}']))
    loaded = load_batch(path)
    assert [(task.instance_id, task.kind) for task in loaded.tasks] == [
        ("1", "table"),
        ("x", "question"),
    ]
    assert [problem.split(":")[0] for problem in loaded.problems] == [
        f"tasks.jsonl, line {n}" for n in (2, 3, 4, 5)
    ]
    path.write_text("")
    with pytest.raises(ConfigError, match="holds no task"):
        load_batch(path)


def test_lines_from_other_systems_and_thousands_of_them(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    lines = [
        json.dumps({"id": n, "query": "所有河流", "columns": ["河流", "长度"]}, ensure_ascii=False)
        for n in range(5000)
    ]
    path.write_text("\n".join([*lines[:4000], "", "{", *lines[4000:]]), "utf-8-sig", newline="\r\n")
    loaded = load_batch(path)
    assert len(loaded.tasks) == 5000
    assert loaded.tasks[-1].columns == ("河流", "长度")
    [problem] = loaded.problems
    assert problem.startswith("tasks.jsonl, line 4002:")


AWKWARD = """<html><head><title>河流</title></head><body><h1>河流</h1><table>
<tr><th>长度</th><th>河流</th><th>备注</th></tr>
<tr><td>6300</td><td>长江</td><td>上游 | 下游</td></tr>
<tr><td>5464</td><td>黄河</td><td>上游<br>下游</td></tr></table></body></html>"""
# No bar stands in a cell of the response, which official parsers would split there.
AWKWARD_GOLD = '河流,长度,备注\n黄河,5464,"上游\n下游"\n长江,6300,上游 / 下游\n'
AWKWARD_RULES = {
    "unique_columns": ["河流"],
    "required": ["河流", "长度", "备注"],
    "eval_pipeline": {
        name: {"preprocess": ["norm_str"], "metric": ["exact_match"]}
        for name in ("河流", "长度", "备注")
    },
}


async def test_chinese_columns_in_another_order_with_bars_and_lines_in_cells(
    tmp_path: Path, runs: RunStore, researcher_with: MakeResearcher
) -> None:
    researcher = researcher_with(answers)
    (tmp_path / "documents" / "rivers.html").write_text(AWKWARD)
    [source] = researcher.sources
    assert isinstance(source, CorpusSource)
    await source.corpus.update(cancel=Cancellation())
    tasks, output = tmp_path / "tasks.jsonl", tmp_path / "out.jsonl"
    task = {"id": "江", "query": "所有河流", "columns": ["河流", "长度", "备注"], "keys": ["河流"]}
    tasks.write_text(json.dumps(task, ensure_ascii=False))
    assert await go(tasks, output, researcher, runs) == 0
    [result] = results(output)
    scored = await score_response(
        result.response,
        AWKWARD_GOLD,
        Evaluation.model_validate(AWKWARD_RULES),
        rules=CorrectedRules(),
        judge=LiteralJudge(),
    )
    assert scored.score.success_rate == 1.0, result.response


def test_a_trial_is_named_by_its_task_and_its_number(tmp_path: Path) -> None:
    [task] = load_batch(tasks_file(tmp_path, 1)).tasks
    assert Trial(task, 2).name == ("0", 2)
