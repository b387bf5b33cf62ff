"""Tasks made from a tiny copy of wikitables, found and scored with a scripted model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from leadline.agent import assembly
from leadline.cancellation import Cancellation
from leadline.errors import ConfigError
from leadline.evals import scores, table_tasks, tables, wikitable_tasks
from leadline.evals.trials import FinishedTrials
from leadline.evals.widesearch.tasks import load_tasks
from leadline.progress import silent
from leadline.runtime.engine import Engine, GenerationRequest
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.settings import Settings

MEDALS = ["Rank", "Nation", "Gold", "Silver", "Bronze", "Total"]
NATIONS = ["Alder", "Beech", "Cedar", "Elm", "Fir", "Total"]


def write_page(data: Path, number: int, title: str, table: list[list[str]]) -> None:
    for folder in ("csv/200-csv", "page/200-page"):
        (data / folder).mkdir(parents=True, exist_ok=True)
    text = "\n".join(",".join(f'"{cell}"' for cell in row) for row in table)
    (data / "csv/200-csv" / f"{number}.csv").write_text(text)
    page = data / "page/200-page" / f"{number}.html"
    page.with_suffix(".json").write_text(json.dumps({"title": title}))
    kinds = ["th", *["td"] * (len(table) - 1)]
    rows = "".join(
        "<tr>" + "".join(f"<{kind}>{cell}</{kind}>" for cell in row) + "</tr>"
        for kind, row in zip(kinds, table, strict=True)
    )
    page.write_text(f"<p>This is the page of {title}.</p><table>{rows}</table>")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "wikitables"
    for number, event in enumerate(("Harbour Games", "Forest Games", "River Games")):
        rows = [
            [str(n + 1), nation, str(n + number), "1", "2", str(n + number + 3)]
            for n, nation in enumerate(NATIONS)
        ]
        write_page(folder, number, event, [MEDALS, *rows])
    ships = [
        ["Ship", "Built", "Length"],
        *[[f"Ship {n}", f"19{n}0", f"1,0{n}4"] for n in range(1, 7)],
    ]
    write_page(folder, 7, "Ships", ships)
    write_page(folder, 8, "Too short", ships[:3])
    write_page(folder, 9, "Same keys", [ships[0], *[["Ship", "1", "2"]] * 6])
    return folder


def test_tasks_of_both_kinds(data: Path, tmp_path: Path) -> None:
    tasks = wikitable_tasks.chosen_tasks(data, limit=4)
    assert sorted(task.set for task in tasks) == ["many-page", "single-page"]
    [many] = [task for task in tasks if task.set == "many-page"]
    assert len(many.rows) == 15, "the totals are no nations"
    assert len(many.pages) == 3
    folder = table_tasks.write_tasks(tasks, tmp_path / "tasks")
    loaded = load_tasks(folder)
    assert loaded.problems == ()
    rules = {task.instance_id: task.evaluation.eval_pipeline for task in loaded.tasks}
    assert rules[many.instance_id]["gold"].metric == ("number_near",)
    assert rules[many.instance_id]["nation"].metric == ("exact_match",)
    assert len(list((folder / "pages").iterdir())) == 4


RACE = ["Pos", "No", "Driver", "Constructor", "Laps", "Time/Retired", "Grid", "Points"]
DRIVERS = ["Ash", "Birch", "Hazel", "Larch", "Maple"]


def test_a_page_with_two_such_tables_makes_no_task(data: Path) -> None:
    page = data / "page/200-page/7.html"
    singles = [
        task for task in wikitable_tasks.chosen_tasks(data, limit=9) if task.pages[0] == page
    ]
    assert len(singles) == 1
    page.write_text(page.read_text() + page.read_text())
    again = [task for task in wikitable_tasks.chosen_tasks(data, limit=9) if task.pages[0] == page]
    assert again == []


def test_results_of_races_are_put_together(tmp_path: Path) -> None:
    folder = tmp_path / "wikitables"
    for number, race in enumerate(("Harbour Grand Prix", "Forest Grand Prix", "Hill Grand Prix")):
        rows = [
            [str(n + 1), str(n), driver, "Anvil", str(60 - n), "+1 lap", str(number), ""]
            for n, driver in enumerate(DRIVERS)
        ]
        write_page(folder, number, race, [RACE, *rows])
    shared = [["1", "9", "Ash", "Anvil", "60", "", "", ""]] * 2
    write_page(folder, 3, "Driven by two", [RACE, *rows[:4], *shared])
    unclassified = ["", "9", "Oak", "Anvil", "", "", "", ""]
    write_page(folder, 4, "With an empty cell", [RACE, *rows, unclassified])
    [task] = wikitable_tasks.chosen_tasks(folder, limit=2)
    assert task.set == "many-page"
    assert task.columns == ("Race", "Driver", "Pos", "Constructor", "Laps")
    assert task.keys == ("Race", "Driver")
    assert len(task.rows) == 15
    assert ("Forest Grand Prix", "Hazel", "3", "Anvil", "58") in task.rows
    assert {page.stem for page in task.pages} == {"0", "1", "2"}


def test_a_folder_that_is_something_else(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="give the wikitables folder"):
        wikitable_tasks.chosen_tasks(tmp_path, limit=1)


def answers(request: GenerationRequest) -> str:
    system, user = request.messages[0].content, request.messages[-1].content
    if "A user asks for a table" in system:
        return json.dumps({"subject": "tables", "columns": [], "keys": []})
    if "Which of the numbered tables" in system:
        return json.dumps({"tables": [1, 2, 3] if "medal" in user else [_number_of(user)]})
    if "is to be copied into a table" in system:
        [event] = [name for name in ("Harbour", "Forest", "River") if f"{name} Games\n" in user]
        return json.dumps({"Event": {"header": 0, "constant": f"{event} Games"}})
    if "A search found no answer" in system:
        return json.dumps({"queries": []})
    return "```markdown\n| Ship | Built | Length |\n|---|---|---|\n| Ship 1 | 1910 | 1 |\n```"


def _number_of(user: str) -> int:
    before = user[: user.index("Ships")]
    return int(before.rsplit("[", 1)[1].split("]")[0])


async def test_every_method_is_scored_and_a_finished_task_is_not_asked_again(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = ScriptedEngine(respond=answers)

    async def scripted(settings: Settings) -> Engine:
        return engine

    monkeypatch.setattr(assembly, "open_engine", scripted)
    monkeypatch.setattr(tables, "open_engine", scripted)
    tasks = wikitable_tasks.chosen_tasks(data, limit=2)
    folder = table_tasks.write_tasks(tasks, tmp_path / "tasks")
    settings = Settings(model="scripted", reader="first-stage", embedder="none")
    told: list[str] = []

    def tell(score: scores.Score, done: tables.Tabulated) -> None:
        told.append(f"{score.method} {score.question}")

    async def measured() -> dict[tuple[str, str, str], float]:
        bench = tables.TableBench(
            settings, folder / "pages", cancel=Cancellation(), progress=silent, warn=told.append
        )
        methods = ("closed-book", "one-shot", "leadline")
        finished = FinishedTrials(tmp_path / "finished.jsonl")
        found = await tables.measure(
            tasks, methods, finished, bench, tell=tell, model=settings.model
        )
        return {(row.method, row.set, row.metric): row.value for row in scores.rows(found)}

    rows = await measured()
    assert rows["leadline", "single-page", "success_rate"] == 1.0
    assert rows["leadline", "many-page", "item_f1"] == 1.0
    assert rows["closed-book", "single-page", "row_recall"] == 0.0
    assert rows["closed-book", "single-page", "item_recall"] == pytest.approx(2 / 18)
    assert rows["leadline", "single-page", "tokens"] > 0
    [shown] = {
        r.messages[-1].content
        for r in engine.requests
        if "from the passages" in r.messages[0].content and "Ships" in r.messages[-1].content
    }
    assert "Ship 3" in shown
    asked = len(told), len(engine.requests)
    assert await measured() == rows
    assert (len(told), len(engine.requests)) == asked
