"""From a query to a table, over real pages with a scripted model."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from leadline.agent.events import (
    CellsFilled,
    Event,
    LimitsChanged,
    PlanEdited,
    RowsFound,
    TablePlanned,
)
from leadline.agent.report import Report
from leadline.agent.researcher import Researcher
from leadline.agent.run_store import RunStore
from leadline.agent.steering import DropQuestion, Steering
from leadline.agent.tables.schema import TableWishes
from leadline.agent.tables.wide_table import WideTable
from leadline.budget import Limits
from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ModelError
from leadline.runtime.engine import GenerationRequest
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tools.page_store import PageStore

from .conftest import ASH, QUERY, RIVERS, answers

Tabulator = Callable[..., Researcher]


def table_of(report: Report) -> WideTable:
    assert report.table is not None
    return report.table


def values(table: WideTable) -> dict[str, tuple[str, str]]:
    return {
        row["River"].value: (row["Length (km)"].value, row["Mouth"].value) for row in table.rows
    }


async def test_tables_of_pages_become_one_with_a_span_for_every_cell(
    tabulator: Tabulator, store: PageStore
) -> None:
    events: list[Event] = []
    researcher = tabulator(ScriptedEngine(respond=answers))
    report = await researcher.tabulate(QUERY, on_event=events.append)
    table = table_of(report)
    assert values(table) == {
        "Elm": ("1,094", "North / Bay"),
        "Oak": ("777", "North / Bay"),
        "Ash": ("310 km", "Lake Fir"),
        "Yew": ("95", ""),
    }
    for row in table.rows:
        for cell in row.values():
            for citation in cell.citations:
                text = store.get(citation.page_id).text
                assert text[citation.start : citation.end] == citation.quote
    elm = next(row for row in table.rows if row["River"].value == "Elm")
    assert elm["Length (km)"].normalised == "1094"
    assert len(elm["Length (km)"].citations) == 2
    assert report.status == "partial"
    assert report.open_questions == ("Mouth (1 of 4): Yew",)
    assert isinstance(events[1], TablePlanned)
    assert [event.rows for event in events if isinstance(event, RowsFound)][-1] == 4
    filled = [event.filled for event in events if isinstance(event, CellsFilled)]
    assert filled == sorted(filled)
    assert filled[-1] == 11
    assert Report.model_validate_json(report.model_dump_json()) == report


async def test_a_question_that_asks_for_columns_ends_in_a_table_by_itself(
    tabulator: Tabulator, runs: RunStore
) -> None:
    report = await tabulator(ScriptedEngine(respond=answers)).run(QUERY)
    assert len(values(table_of(report))) == 4
    assert runs.get(report.run_id).record.table is not None


async def test_a_table_has_no_plan_to_edit_but_its_limits_can_change(tabulator: Tabulator) -> None:
    steering = Steering()
    steering.edit(DropQuestion(node_id="q1"))
    steering.set_limits(Limits(pages=500))
    events: list[Event] = []
    report = await tabulator(ScriptedEngine(respond=answers)).tabulate(
        QUERY, steering=steering, on_event=events.append
    )
    assert len(table_of(report).rows) == 4
    assert [event.refused != "" for event in events if isinstance(event, PlanEdited)] == [True]
    assert [event.limits for event in events if isinstance(event, LimitsChanged)] == [
        Limits(pages=500)
    ]


async def test_a_narrower_table_beside_the_one_that_fits_adds_no_rows(
    tabulator: Tabulator, store: PageStore
) -> None:
    def mapping(request: GenerationRequest) -> str:
        if "is to be copied into a table" not in request.messages[0].content:
            return answers(request)
        canals = "Canals" in request.messages[-1].content
        river = {"header": 1 if canals else 0, "constant": ""}
        return json.dumps({"River": river, "Mouth": {"header": 0, "constant": ""}})

    report = await tabulator(ScriptedEngine(respond=mapping)).tabulate(QUERY)
    assert "Grand Canal" not in values(table_of(report))
    assert "Elm" in values(table_of(report))


SHOWS = """<html><head><title>Shows</title></head><body><h1>Shows</h1>
<p>Shows on the rivers of Alderland, by their length.</p>
<table><tr><th>River</th><th>Place</th><th>Remark</th></tr>
<tr><td>Float parade</td><td>Elmton</td><td>cancelled</td></tr></table></body></html>"""


@pytest.mark.parametrize("documents", [{"rivers.html": RIVERS, "shows.html": SHOWS}])
async def test_a_table_of_something_else_adds_no_rows_whatever_the_model_says(
    tabulator: Tabulator,
) -> None:
    """The page that the query names is taken, and a table with far fewer of the columns is not."""

    def mistaken(request: GenerationRequest) -> str:
        system, user = request.messages[0].content, request.messages[-1].content
        if "Which of the numbered tables" in system:
            numbers = [n for n in range(1, 9) if f"\n[{n}] Shows" in f"\n{user}"]
            return json.dumps({"tables": numbers})
        if "is to be copied into a table" in system:
            columns = {"Length (km)": {"header": 2}, "Mouth": {"header": 3}}
            return json.dumps(columns if "Float parade" in user else {"Mouth": {"header": 0}})
        return answers(request)

    engine = ScriptedEngine(respond=mistaken)
    report = await tabulator(engine).tabulate(QUERY)
    assert {*values(table_of(report))} == {"Elm", "Oak", "Ash"}
    assert any("Shows" in request.messages[-1].content for request in engine.requests)


async def test_searches_for_cells_end_when_they_bring_nothing(tabulator: Tabulator) -> None:
    def silent(request: GenerationRequest) -> str:
        if "missing cells of one row" in request.messages[0].content:
            return "{}"
        return answers(request)

    engine = ScriptedEngine(respond=silent)
    report = await tabulator(engine, parallel_searchers=1).tabulate(QUERY)
    asked = [request for request in engine.requests if "Missing: " in request.messages[-1].content]
    assert len(asked) <= 2
    assert any(row["Length (km)"].missing for row in table_of(report).rows)


async def test_pages_that_disagree_are_both_shown(tabulator: Tabulator) -> None:
    report = await tabulator(ScriptedEngine(respond=answers)).tabulate(QUERY)
    [oak] = [row for row in table_of(report).rows if row["River"].value == "Oak"]
    assert [other.value for other in oak["Length (km)"].alternatives] == ["780"]
    assert "Oak, Length (km): 777" in report.markdown
    assert "but 780" in report.markdown


async def test_the_report_is_safe_for_a_scorer(tabulator: Tabulator) -> None:
    report = await tabulator(ScriptedEngine(respond=answers)).tabulate(QUERY)
    assert report.markdown.startswith("```markdown\n| River | Length (km) | Mouth |\n| --- |")
    assert report.markdown.count("```") == 2
    fenced = report.markdown.split("```")[1]
    assert {line.count("|") for line in fenced.splitlines()[1:]} == {4}
    assert "| Yew | 95 | - |" in fenced
    assert "|" not in report.markdown.split("```")[2]


async def test_a_value_that_no_passage_has_is_never_taken(tabulator: Tabulator) -> None:
    report = await tabulator(ScriptedEngine(respond=answers)).tabulate(QUERY)
    assert "Moon" not in report.model_dump_json()


async def test_rows_that_miss_a_constraint_are_left_out(tabulator: Tabulator) -> None:
    def strict(request: GenerationRequest) -> str:
        reply = answers(request)
        if "A user asks for a table" not in request.messages[0].content:
            return reply
        limit = {"column": "Length (km)", "comparison": ">", "value": "700"}
        return json.dumps(json.loads(reply) | {"constraints": [limit]})

    report = await tabulator(ScriptedEngine(respond=strict)).tabulate(f"Over 700 km. {QUERY}")
    table = table_of(report)
    assert list(values(table)) == ["Elm", "Oak"]
    assert table.excluded_rows == 2
    assert "2 rows that were found do not meet the constraints" in report.markdown


@pytest.mark.parametrize("documents", [{"ash.html": ASH}])
async def test_rows_come_from_running_text_where_there_is_no_table(tabulator: Tabulator) -> None:
    def from_text(request: GenerationRequest) -> str:
        system = request.messages[0].content
        if "Which of the numbered tables" in system:
            return json.dumps({"tables": []})
        if "You copy rows" in system:
            rows = [
                {"River": "The Ash", "Length (km)": "310 km", "Mouth": ""},
                {"River": "Atlantis", "Length (km)": "310 km", "Mouth": ""},
            ]
            return json.dumps({"rows": rows})
        return answers(request)

    report = await tabulator(ScriptedEngine(respond=from_text)).tabulate(QUERY)
    assert values(table_of(report)) == {"The Ash": ("310 km", "")}


MODES = """<html><head><title>Journal modes</title></head><body><h1>Journal modes</h1>
<p>The DELETE mode is the normal behavior. The journal is deleted at the end. The TRUNCATE mode
cuts the journal to zero length instead. The OFF mode keeps no journal.</p></body></html>"""


@pytest.mark.parametrize("documents", [{"modes.html": MODES}])
async def test_a_value_belongs_to_the_row_that_the_text_speaks_of(
    tabulator: Tabulator, store: PageStore
) -> None:
    """A model that gives every row the words of the first, until it is asked for one row alone."""
    one_by_one: list[str] = []

    def mixing(request: GenerationRequest) -> str:
        system, user = request.messages[0].content, request.messages[-1].content
        if "A user asks for a table" in system:
            return json.dumps({"subject": "journal modes", "columns": [], "keys": ["Mode"]})
        if "You copy rows" in system:
            words = "The journal is deleted at the end"
            rows = [{"Mode": mode, "Journal": words} for mode in ("DELETE", "TRUNCATE", "OFF")]
            return json.dumps({"rows": rows})
        if "missing cells of one row" in system:
            one_by_one.append(user)
            return json.dumps({"Journal": "keeps no journal" if "Mode: OFF" in user else ""})
        return answers(request)

    report = await tabulator(ScriptedEngine(respond=mixing)).tabulate(
        "SQLite's journal modes. Columns: Mode, Journal"
    )
    assert {row["Mode"].value: row["Journal"].value for row in table_of(report).rows} == {
        "DELETE": "The journal is deleted at the end",
        "TRUNCATE": "",
        "OFF": "keeps no journal",
    }
    assert all("deleted" not in asked for asked in one_by_one)


async def test_keys_that_do_not_suffice_are_widened(tabulator: Tabulator) -> None:
    def by_mouth(request: GenerationRequest) -> str:
        reply = answers(request)
        if "A user asks for a table" in request.messages[0].content:
            return json.dumps(json.loads(reply) | {"keys": ["Mouth"]})
        return reply

    report = await tabulator(ScriptedEngine(respond=by_mouth), table_rounds=1).tabulate(QUERY)
    assert table_of(report).table_schema.keys == ("Mouth", "River")
    given = await tabulator(ScriptedEngine(respond=by_mouth), table_rounds=1).tabulate(
        QUERY, TableWishes(keys=("Mouth",))
    )
    assert table_of(given).table_schema.keys == ("Mouth",)


async def test_a_budget_that_runs_out_leaves_a_labelled_table(tabulator: Tabulator) -> None:
    report = await tabulator(ScriptedEngine(respond=answers)).tabulate(
        QUERY, limits=Limits(pages=1)
    )
    assert report.status == "budget_exhausted"
    assert "The budget ran out" in report.markdown


async def test_a_stopped_run_goes_on_where_it_was(tabulator: Tabulator, runs: RunStore) -> None:
    cancel = Cancellation()

    def stops_at_the_first_lookup(request: GenerationRequest) -> str:
        if "missing cells" in request.messages[0].content:
            cancel.cancel()
        return answers(request)

    researcher = tabulator(ScriptedEngine(respond=stops_at_the_first_lookup))
    with pytest.raises(Cancelled):
        await researcher.tabulate(QUERY, cancel=cancel)
    engine = ScriptedEngine(respond=answers)
    report = await tabulator(engine).resume("last")
    assert len(table_of(report).rows) == 4
    asked = [request.messages[0].content for request in engine.requests]
    assert not any("A user asks for a table" in system for system in asked)
    assert not any("Which of the numbered tables" in system for system in asked)
    undisturbed = await tabulator(ScriptedEngine(respond=answers)).tabulate(QUERY)
    assert table_of(report) == table_of(undisturbed)


async def test_a_model_that_cannot_be_used_ends_the_run(tabulator: Tabulator) -> None:
    with pytest.raises(ModelError, match="broken"):
        await tabulator(ScriptedEngine([ModelError("broken")])).tabulate(QUERY)


async def test_what_the_model_gets_wrong_is_said_and_worked_around(tabulator: Tabulator) -> None:
    def nonsense(request: GenerationRequest) -> str:
        return "nonsense"

    report = await tabulator(ScriptedEngine(respond=nonsense)).tabulate(QUERY)
    assert set(values(table_of(report))) >= {"Elm", "Oak"}
