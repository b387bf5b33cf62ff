from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import openpyxl
import pytest

from leadline.agent.tables.rendering import markdown_report, rendered
from leadline.agent.tables.schema import Column, TableSchema
from leadline.agent.tables.wide_table import CellReading, FoundRow, TableBuilder, WideTable
from leadline.evidence import Citation, Page

TEXT = "Elm 1,094 =cmd() <b>bold</b> ```fence``` 310"


@pytest.fixture
def table() -> WideTable:
    page = Page(
        page_id="0" * 64,
        url="https://a.org/x",
        final_url="https://a.org/x",
        fetched_at=datetime(2024, 1, 1, tzinfo=UTC),
        media_type="text/html",
        title="A | page `with` [marks](https://evil.org)",
        text=TEXT,
    )

    def reading(words: str) -> CellReading:
        start = TEXT.index(words)
        citation = Citation.of(page.span(start, start + len(words)), page)
        return CellReading(value=words, citation=citation)

    schema = TableSchema(
        subject="rivers",
        columns=(Column(name="River"), Column(name="Length", type="number"), Column(name="Note")),
        keys=("River",),
    )
    builder = TableBuilder(schema)
    builder.add(FoundRow(cells={"River": reading("Elm"), "Length": reading("1,094")}))
    builder.add(FoundRow(cells={"River": reading("=cmd()"), "Note": reading("<b>bold</b>")}))
    assert not builder.add(FoundRow(cells={"Length": reading("310")}))
    return builder.build()


def test_csv_holds_no_formula(table: WideTable) -> None:
    rows = list(csv.reader(io.StringIO(rendered(table, "csv").decode())))
    assert rows == [
        ["River", "Length", "Note"],
        ["Elm", "1,094", ""],
        ["'=cmd()", "", "<b>bold</b>"],
    ]


def test_json_has_the_citations_and_null_for_what_is_missing(table: WideTable) -> None:
    result = json.loads(rendered(table, "json"))
    assert result["keys"] == ["River"]
    assert result["rows"][0]["Note"] is None
    assert result["rows"][0]["Length"]["citations"][0]["quote"] == "1,094"


def test_html_shows_text_as_text(table: WideTable) -> None:
    page = rendered(table, "html").decode()
    assert "&lt;b&gt;bold&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "http-equiv" in page


def test_a_spreadsheet_has_numbers_and_texts_and_no_formula(table: WideTable) -> None:
    sheet = openpyxl.load_workbook(io.BytesIO(rendered(table, "xlsx"))).active
    assert sheet["B2"].value == 1094
    assert (sheet["A3"].value, sheet["A3"].data_type) == ("=cmd()", "s")
    assert "1,094" in sheet["B2"].comment.text
    assert sheet["C2"].value is None


def test_a_markdown_file_is_the_table_alone(table: WideTable) -> None:
    assert rendered(table, "md").decode() == (
        "| River | Length | Note |\n| --- | --- | --- |\n"
        "| Elm | 1,094 | - |\n| =cmd() | - | <b>bold</b> |\n"
    )


def test_nothing_below_the_fence_is_markup_of_a_pages(table: WideTable) -> None:
    below = markdown_report(table).split("```")[2]
    assert "evil.org" not in below
    assert "|" not in below
    assert "`" not in below
    assert "<https://a.org/x>" in below
