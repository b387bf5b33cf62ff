"""Tasks from tiny manuals, laid out like those of SQLite, PostgreSQL and CMake."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadline.cli.main import run
from leadline.errors import ConfigError
from leadline.evals import manual_tasks
from leadline.evals.table_tasks import write_tasks
from leadline.evals.widesearch.tasks import load_tasks

from ..willing_endpoint import willing_endpoint

CONFIG = """\
autovacuum\tsighup\tAutovacuum\tBOOLEAN\tTRUE\t\t\tStarts the subprocess.\t
autovacuum_cost\tsighup\tAutovacuum\tREAL\t2\t-1\t100\tCost in milliseconds.\t
port\tpostmaster\tConnections and Authentication / Connection Settings\tINTEGER\t5432\t1\t9\tA.\t
ssl_key\tsighup\tConnections and Authentication / SSL\tSTRING\tkey\t\t\tLocation of the key.\t
on_error\tuser\tError Handling\tENUM\tstop\t\t\tWhat to do.\t
hidden\tuser\tDeveloper Options\tBOOLEAN\tFALSE\t\t\tNot for production.\t
"""
CHAPTERS = {
    "autovacuum": "20.10. Vacuuming",
    "connection": "20.3. Links",
    "error-handling": "Errors",
}
WARNS = "CMake version 3.25.1 warns when the policy is not\nset and uses ``OLD`` behavior."
SILENT = "Unlike many, CMake does *not* warn by default\nwhen this policy is not set."


@pytest.fixture
def postgres(tmp_path: Path) -> Path:
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "runtime-config.html").write_text("<title>Chapter 20. Configuration</title>")
    for name, title in CHAPTERS.items():
        page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
        (folder / f"runtime-config-{name}.html").write_text(page)
    (folder / manual_tasks.DESCRIBED_CONFIG).write_text(CONFIG)
    return folder


@pytest.fixture
def cmake(tmp_path: Path) -> Path:
    folder = tmp_path / "cmake"
    for name in ("manual/cmake-policies.7", *(f"policy/CMP{n:04}" for n in range(1, 9))):
        page = folder / f"{name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(f"<h1>{page.stem}</h1>")
    policies = [
        _group("3.2", [_policy(8, "Warns always.")]),
        _group("3.1", [_policy(n, SILENT if n % 2 else WARNS) for n in (7, 6, 5, 4, 3)]),
        _group("3.0", [_policy(2, SILENT), _policy(1, WARNS)]),
    ]
    (folder / manual_tasks.HELP_POLICIES).write_text("Introduction\n====\n\n" + "".join(policies))
    return folder


def _group(version: str, policies: list[str]) -> str:
    heading = f"Policies Introduced by CMake {version}"
    return f"{heading}\n{'=' * len(heading)}\n\n{''.join(policies)}"


def _policy(number: int, text: str) -> str:
    return f"CMP{number:04}\n-------\n\n.. versionadded:: 3.0\n\n{text}\n\n"


def test_the_pragmas_are_those_of_this_sqlite(tmp_path: Path) -> None:
    assert manual_tasks.manual_tasks(tmp_path) is None
    with pytest.raises(ConfigError, match=r"no pragma\.html"):
        manual_tasks.pragma_task(tmp_path)
    (tmp_path / "pragma.html").write_text("<h1>Pragmas</h1>")
    [task] = manual_tasks.manual_tasks(tmp_path) or []
    assert ("busy_timeout",) in task.rows


def test_parameters_of_chapters_alone_and_together(postgres: Path, tmp_path: Path) -> None:
    tasks = {task.instance_id: task for task in manual_tasks.manual_tasks(postgres) or []}
    assert list(tasks) == [
        "postgres-autovacuum",
        "postgres-connection",
        "postgres-error-handling",
        "postgres-many-1",
    ]
    single = tasks["postgres-connection"]
    assert single.rows == (("port", "integer"), ("ssl_key", "string"))
    assert "“Links”" in single.query
    many = tasks["postgres-many-1"]
    assert many.keys == ("Chapter", "Parameter")
    assert ("Vacuuming", "autovacuum_cost", "floating point") in many.rows
    assert len(many.rows) == 5
    assert len(many.pages) == 3
    loaded = load_tasks(write_tasks(list(tasks.values()), tmp_path / "tasks"))
    assert loaded.problems == ()
    assert len(loaded.tasks) == 4


def test_policies_from_one_page_and_from_their_own(cmake: Path) -> None:
    listing, version = manual_tasks.manual_tasks(cmake) or []
    assert listing.set == "single-page"
    assert listing.rows[0] == ("CMP0008", "3.2")
    assert len(listing.rows) == 8
    assert version.instance_id == "cmake-3.1", "3.2 has one policy, 3.0 has two"
    assert version.set == "many-page"
    assert version.rows == (
        ("CMP0007", "no"),
        ("CMP0006", "yes"),
        ("CMP0005", "no"),
        ("CMP0004", "yes"),
        ("CMP0003", "no"),
    )
    assert len(version.pages) == 6
    assert len(manual_tasks.manual_distractors(cmake, 3)) == 3
    assert len(manual_tasks.manual_distractors(cmake, 30)) == 9


def test_what_the_programme_says_is_missing_or_something_else(postgres: Path, cmake: Path) -> None:
    for folder, name, command in (
        (postgres, manual_tasks.DESCRIBED_CONFIG, "postgres --describe-config"),
        (cmake, manual_tasks.HELP_POLICIES, "cmake --help-policies"),
    ):
        (folder / name).write_text("Usage:\n")
        with pytest.raises(ConfigError, match=f"names no .*{command}"):
            manual_tasks.manual_tasks(folder)
        (folder / name).unlink()
        with pytest.raises(ConfigError, match=f"{command} > "):
            manual_tasks.manual_tasks(folder)


def test_a_manual_is_evaluated_by_the_command(
    postgres: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_EMBEDDER", "none")
    with willing_endpoint() as url:
        monkeypatch.setenv("LEADLINE_ENDPOINT", url)
        monkeypatch.setenv("LEADLINE_MODEL", "willing")
        options = ["--reader", "none", "--limit", "2", "--distractors", "1", "--json"]
        assert run(["eval", "run", "tables", "--data", str(postgres), *options]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["data"]["n"] == 2
    assert {row["method"] for row in result["rows"]} == {
        "closed-book",
        "one-shot",
        "leadline",
    }
    assert [q["question"] for q in result["questions"]][:2] == [
        "postgres-autovacuum",
        "postgres-connection",
    ]
