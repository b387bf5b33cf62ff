"""Runs whose checkpoints a real Postgres server keeps; skipped where none is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from leadline.agent.postgres_checkpoints import PostgresCheckpoints
from leadline.agent.researcher import Researcher
from leadline.agent.run_store import RunStore
from leadline.errors import EndpointError, ServiceError
from leadline.runtime.scripted_engine import ScriptedEngine

from .conftest import SUPPORTED, answer

psycopg = pytest.importorskip("psycopg")
QUESTION = "When was the harbour of Port Alder opened?"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresCheckpoints]:
    """A server of its own, on a socket in a folder of its own."""
    programmes = _programmes()
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="leadline-postgres-") as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, user)
        data, log = folder / "data", folder / "log"

        def run(programme: str, *arguments: str) -> None:
            subprocess.run(
                [programmes / programme, *arguments],
                user=user,
                check=True,
                stdout=subprocess.DEVNULL,
            )

        run("initdb", "-D", str(data), "-U", "leadline", "-A", "trust", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        run("pg_ctl", "-D", str(data), "-l", str(log), "-o", options, "-w", "start")
        try:
            url = f"postgresql:///postgres?host={folder}&user=leadline"
            yield PostgresCheckpoints(SecretStr(url))
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")


def _programmes() -> Path:
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    for folder in folders:
        if (folder / "initdb").exists() and (folder / "pg_ctl").exists():
            return folder
    pytest.skip("no Postgres server is installed here")


async def test_a_run_goes_on_from_its_checkpoints_in_postgres(
    server: PostgresCheckpoints,
    tmp_path: Path,
    researcher_with: Callable[..., Researcher],
) -> None:
    runs = RunStore(tmp_path / "runs", postgres=server)
    failing = ScriptedEngine(
        [answer(("The harbour was opened in 1902.", [1])), EndpointError("the model is gone")]
    )
    with pytest.raises(EndpointError):
        await researcher_with(failing, runs).run(QUESTION)
    run_id = runs.get("last").path.name
    assert _threads(server) == {run_id, f"{run_id}/q1"}
    (runs.get("last").journal).unlink()

    checking = ScriptedEngine([SUPPORTED])
    report = await researcher_with(checking, runs).resume(run_id)
    assert report.status == "complete"
    assert len(checking.requests) == 1, "what Postgres had a checkpoint of was done again"
    assert not (runs.get("last").path / "checkpoints.sqlite").exists()
    runs.delete(run_id)
    assert _threads(server) == set()


async def test_a_server_that_is_not_there_is_named(
    tmp_path: Path, researcher_with: Callable[..., Researcher]
) -> None:
    nowhere = PostgresCheckpoints(SecretStr(f"postgresql:///x?host={tmp_path}&password=secret"))
    runs = RunStore(tmp_path / "runs", postgres=nowhere)
    with pytest.raises(ServiceError, match="checkpoints_url") as failed:
        await researcher_with(ScriptedEngine(), runs).run(QUESTION)
    assert "secret" not in str(failed.value)


def _threads(server: PostgresCheckpoints) -> set[str]:
    with psycopg.connect(server.url.get_secret_value()) as connection:
        rows = connection.execute("SELECT DISTINCT thread_id FROM checkpoints").fetchall()
    return {thread for (thread,) in rows}
