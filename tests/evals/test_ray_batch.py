"""A batch over a real Ray cluster of two nodes on this machine; skipped without Ray."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leadline.agent.assembly import Wishes
from leadline.agent.run_store import open_runs
from leadline.cancellation import Cancellation
from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run
from leadline.errors import Cancelled, ConfigError, ModelMissing
from leadline.evals.batch import BatchProgress, BatchResult, Ledger, load_batch, run_batch
from leadline.evals.ray_batch import open_ray_work
from leadline.settings import Settings, load_settings

from ..willing_endpoint import willing_endpoint

TASKS = 30


@pytest.fixture
def ray() -> Any:
    return pytest.importorskip("ray")


@pytest.fixture
def cluster(ray: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Two nodes with a processor each."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's workers give way to everything else, for minutes where the machine is busy.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    yield cluster
    cluster.shutdown()


@pytest.fixture
def settings() -> Iterator[Settings]:
    """A model that takes a moment, no reader and no embedder."""
    with willing_endpoint(seconds=0.2) as url:
        yield load_settings(endpoint=url, model="willing", reader="none", embedder="none")


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    documents = tmp_path / "documents"
    documents.mkdir()
    lines = []
    for n in range(TASKS):
        text = f"The harbour of Port {n} was opened in {1800 + n}."
        (documents / f"{n}.txt").write_text(text)
        lines.append({"id": n, "question": f"When was the harbour of Port {n} opened?"})
    path = tmp_path / "tasks.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    return path


async def go(
    cluster: Any,
    settings: Settings,
    tasks: Path,
    cancel: Cancellation,
    on_result: Any = lambda step: None,
    warnings: list[str] | None = None,
) -> int:
    wishes = Wishes(settings=settings, corpora=(str(tasks.parent / "documents"),))
    warn = (warnings if warnings is not None else []).append
    async with open_ray_work(cluster.address, wishes, workers=2, cancel=cancel, warn=warn) as work:
        return await run_batch(
            load_batch(tasks).tasks,
            trials=1,
            workers=2,
            ledger=Ledger(tasks.with_name("out.jsonl")),
            work=work,
            cancel=cancel,
            on_result=on_result,
        )


def results(tasks: Path) -> list[BatchResult]:
    lines = tasks.with_name("out.jsonl").read_text().splitlines()
    return [BatchResult.model_validate_json(line) for line in lines]


@pytest.mark.slow
async def test_a_node_that_is_killed_costs_no_task_and_doubles_none(
    cluster: Any, settings: Settings, tasks: Path
) -> None:
    warnings: list[str] = []
    [node] = cluster.worker_nodes
    killing = threading.Thread(
        target=cluster.remove_node, args=(node,), kwargs={"allow_graceful": False}
    )

    def kill_a_node(step: BatchProgress) -> None:
        if step.done == 8:
            killing.start()

    failed = await go(cluster, settings, tasks, Cancellation(), kill_a_node, warnings)
    killing.join()
    assert failed == 0
    found = results(tasks)
    assert sorted(int(result.instance_id) for result in found) == list(range(TASKS))
    assert not any(result.error for result in found)
    assert all(f"opened in {1800 + int(r.instance_id)}" in r.response for r in found)
    assert any("is given out again: a worker was lost" in warning for warning in warnings)
    runs = open_runs(settings).all()
    assert {folder.path.name for folder in runs} == {result.run_id for result in found}


@pytest.mark.slow
async def test_a_batch_that_was_stopped_goes_on_inside_its_runs(
    cluster: Any, settings: Settings, tasks: Path
) -> None:
    cancel = Cancellation()
    loop = asyncio.get_running_loop()
    stopped: list[float] = []

    def stop() -> None:
        stopped.append(time.monotonic())
        cancel.cancel()

    def stop_soon(step: BatchProgress) -> None:
        if step.done == 3:
            loop.call_later(0.3, stop)

    with pytest.raises(Cancelled):
        await go(cluster, settings, tasks, cancel, stop_soon)
    assert time.monotonic() - stopped[0] < 10
    begun = {folder.path.name for folder in open_runs(settings).all()}
    before = results(tasks)
    assert len(begun) > len(before) >= 3
    assert await go(cluster, settings, tasks, Cancellation()) == 0
    found = results(tasks)
    assert found[: len(before)] == before
    assert sorted(int(result.instance_id) for result in found) == list(range(TASKS))
    assert begun < {result.run_id for result in found}
    assert len(open_runs(settings).all()) == TASKS


@pytest.mark.slow
async def test_what_a_worker_lacks_is_said_with_its_node(
    cluster: Any, settings: Settings, tasks: Path
) -> None:
    lacking = load_settings(model="qwen2.5-coder-0.5b", reader="none", embedder="none")
    warnings: list[str] = []
    with pytest.raises(ModelMissing, match=r"qwen2\.5-coder-0\.5b"):
        await go(cluster, lacking, tasks, Cancellation(), warnings=warnings)
    assert len([warning for warning in warnings if "one worker less" in warning]) == 2


@pytest.mark.slow
async def test_a_cluster_of_another_version(
    ray: Any, cluster: Any, settings: Settings, tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray, "__version__", "1.0.0")
    with pytest.raises(ConfigError, match="same versions of Ray and Python"):
        await go(cluster, settings, tasks, Cancellation())


def complaint(tasks: Path, address: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = run(["batch", str(tasks), "-o", str(tasks.with_name("out.jsonl")), "--ray", address])
    [line] = capsys.readouterr().err.splitlines()
    return code, line


def test_ray_is_not_installed(
    tasks: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    code, line = complaint(tasks, "auto", capsys)
    assert code == ExitCode.USAGE
    assert "pip install 'leadline[ray]'" in line


@pytest.mark.parametrize("address", ["nonsense", "ray://127.0.0.1:10001"])
def test_an_address_of_another_kind(
    ray: Any, tasks: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = complaint(tasks, address, capsys)
    assert code == ExitCode.USAGE
    assert "give host:port" in line


@pytest.mark.parametrize("address", ["127.0.0.1:1", "auto"])
def test_no_cluster_at_the_address(
    ray: Any, tasks: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, line = complaint(tasks, address, capsys)
    assert code == ExitCode.UNAVAILABLE
    assert "ray start --head" in line
