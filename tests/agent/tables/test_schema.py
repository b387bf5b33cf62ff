from __future__ import annotations

import json

import pytest

from leadline.agent.tables.schema import (
    TableSchema,
    TableWishes,
    bare_query,
    checked_columns,
    columns_in,
    named_things,
    plan_schema,
)
from leadline.cancellation import Cancellation
from leadline.errors import InputError, OutputInvalid
from leadline.runtime.scripted_engine import ScriptedEngine

WIDE = """Find the five universities. Please organize the results in one Markdown table with the \
following columns:
Subject, University, Home Page, Fee (in US $, if any)
Use only Arabic numerals.

The output format is ```markdown
{data_content}
```."""
CHINESE = """列出每年票房前五的电影。请以Markdown表格的格式输出整理后的数据。
表格中的列名依次为：
年份、国家、电影名

格式为```markdown
{数据内容}
```。"""


def draft(**parts: object) -> str:
    base: dict[str, object] = {"subject": "rivers", "columns": [], "keys": [], "constraints": []}
    return json.dumps(base | parts)


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        (WIDE, ("Subject", "University", "Home Page", "Fee (in US $, if any)")),
        (CHINESE, ("年份", "国家", "电影名")),
        ("All bridges, with columns Name, Year and Length.", ("Name", "Year and Length")),
        ("All bridges. Columns: Name; Year; and Length.", ("Name", "Year", "Length")),
        ("Which rivers does Peru have?", ()),
    ],
)
def test_columns_that_a_query_spells_out(query: str, columns: tuple[str, ...]) -> None:
    assert columns_in(query) == columns


def test_wishes_for_the_form_are_no_part_of_the_search() -> None:
    assert bare_query(WIDE).startswith("Find the five universities.")
    assert "markdown" not in bare_query(WIDE).lower()
    assert bare_query(CHINESE) == "列出每年票房前五的电影。"


def test_things_that_a_query_names_one_by_one() -> None:
    query = "The medal tables of: A Games; B Games; 1999 Cup. Columns: Event; Nation"
    assert named_things(query) == ["A Games", "B Games", "1999 Cup"]
    assert named_things("The table of the page “Ships of 1900”, all rows") == ["Ships of 1900"]
    assert named_things("《流浪地球》和《哪吒》的票房") == ["流浪地球", "哪吒"]
    assert named_things("Which rivers?") == []


def test_column_names_are_made_safe() -> None:
    assert checked_columns([" a|b ", "A/B", "", "c"]) == ("a/b", "c")


async def planned(reply: str, query: str, wishes: TableWishes | None = None) -> TableSchema:
    engine = ScriptedEngine([reply, reply])
    return await plan_schema(query, wishes or TableWishes(), engine, cancel=Cancellation())


async def test_the_models_keys_and_constraints_are_kept_where_they_fit() -> None:
    schema = await plan_schema(
        "Rivers longer than 500 km",
        TableWishes(),
        ScriptedEngine(
            [
                draft(
                    columns=[{"name": "River", "type": "text"}, {"name": "Length (km)"}],
                    keys=["river", "Country"],
                    constraints=[
                        {"column": "length (km)", "comparison": ">", "value": "500"},
                        {"column": "Length (km)", "comparison": "<", "value": "900"},
                        {"column": "Mouth", "comparison": "=", "value": "500"},
                    ],
                )
            ]
        ),
        cancel=Cancellation(),
    )
    assert schema.names == ("River", "Length (km)")
    assert [column.type for column in schema.columns] == ["text", "number"]
    assert schema.keys == ("River",)
    assert [(c.column, c.value) for c in schema.constraints] == [("Length (km)", "500")]


async def test_spelt_out_columns_need_no_readable_model() -> None:
    schema = await plan_schema(
        CHINESE,
        TableWishes(keys=("电影名",)),
        ScriptedEngine(["nonsense", "still nonsense"]),
        cancel=Cancellation(),
    )
    assert schema.names == ("年份", "国家", "电影名")
    assert schema.keys == ("电影名",)
    assert schema.keys_given


async def test_no_columns_at_all_is_an_error() -> None:
    with pytest.raises(OutputInvalid, match=r"no columns.*--columns"):
        await planned(draft(), "Rivers?")


async def test_a_key_that_is_no_column_is_an_error() -> None:
    wishes = TableWishes(columns=("River", "Sea"), keys=("Length",))
    with pytest.raises(InputError, match="'Length' is no column"):
        await planned(draft(), "Rivers?", wishes)
