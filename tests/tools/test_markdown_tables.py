from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadline.tools.extraction import extract
from leadline.tools.markdown_tables import MarkdownTable, cell_text, markdown_tables

CELL = st.text("ab |\\-:`é法 ", max_size=6)


def cells(text: str, table: MarkdownTable) -> list[list[str]]:
    return [[cell_text(text, cell) for cell in row] for row in (table.header, *table.rows)]


def test_a_table_of_a_page_has_every_cell_at_its_offsets() -> None:
    html = b"""<html><body><h1>Rivers</h1><p>They flow.</p><table><caption>Long ones</caption>
    <tr><th>River</th><th>Sea</th></tr><tr><td>Elbe</td><td>North | Sea</td></tr>
    <tr><td>Oder</td><td></td></tr></table></body></html>"""
    text = extract(html, name="rivers.html").text
    [table] = markdown_tables(text)
    assert table.caption == "Long ones"
    assert cells(text, table) == [["River", "Sea"], ["Elbe", "North | Sea"], ["Oder", ""]]
    start, end = table.rows[0][1]
    assert text[start:end] == r"North \| Sea"
    assert text[table.start : table.end].startswith("| River")


def test_several_tables_and_what_is_none() -> None:
    text = "a | b\n\n| x | y |\n| 1 | 2 |\n\n```\n| no | no |\n```\n\nx | y\n--|--\n3 | 4\n5 | 6 | 7\nend"
    tables = markdown_tables(text)
    assert [cells(text, table) for table in tables] == [
        [[], ["x", "y"], ["1", "2"]],
        [["x", "y"], ["3", "4"], ["5", "6", "7"]],
    ]


@given(st.lists(st.lists(CELL, min_size=1, max_size=4), min_size=1, max_size=5))
def test_offsets_lie_in_order_inside_the_table(rows: list[list[str]]) -> None:
    text = "\n".join("| " + " | ".join(row) + " |" for row in rows)
    for table in markdown_tables(text):
        at = table.start
        for row in (table.header, *table.rows):
            for start, end in row:
                assert at <= start <= end <= table.end
                assert text[start:end] == text[start:end].strip()
                at = end
