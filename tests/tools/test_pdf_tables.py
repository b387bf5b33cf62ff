from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import pytest

from leadline.tools.extraction import Extracted, extract
from leadline.tools.markdown_tables import cell_text, markdown_tables

from .hostile.pdf_documents import page_with, stream

Placed = tuple[float, float, str]
"""How far from the left and from the bottom of a sheet of 600 × 800 points, and what stands there."""

STATEMENT = [
    (250, 760, "Harbour Pilots plc"),
    (250, 745, "Statements of Income"),
    (374, 720, "Year Ended March 31,"),
    (50, 705, "\\(in millions\\)"),
    (365, 705, "1884"),
    (465, 705, "1883"),
    (50, 690, "Pilotage:"),
    (50, 675, "Inward dues"),
    (350, 675, "$"),
    (370, 675, "1,205"),
    (450, 675, "$"),
    (470, 675, "998"),
    (50, 660, "Towage and mooring of vessels"),
    (370, 660, "\\(31\\)"),
    (470, 660, "-"),
    (50, 645, "Net income"),
    (350, 645, "$"),
    (370, 645, "1,174"),
    (450, 645, "$"),
    (470, 645, "998"),
    (50, 600, "The lead line was swung forward of the chains, so that it struck bottom."),
]


def sheet(texts: Iterable[Placed], *, size: int = 10) -> bytes:
    shown = (f"1 0 0 1 {left} {up} Tm ({text}) Tj" for left, up, text in texts)
    return page_with(stream(f"BT /F {size} Tf {' '.join(shown)} ET".encode()))


def read(texts: Iterable[Placed]) -> Extracted:
    return extract(sheet(texts), name="x.pdf")


def rows(text: str) -> list[list[str]]:
    [table] = markdown_tables(text)
    return [[cell_text(text, cell) for cell in row] for row in (table.header, *table.rows)]


def columns(
    *lines: Sequence[str], at: Sequence[float] = (50, 200, 350), step: int = 14
) -> list[Placed]:
    return [
        (left, 700 - step * number, text)
        for number, line in enumerate(lines)
        for left, text in zip(at, line, strict=False)
        if text
    ]


def test_a_statement_without_ruling_is_a_table() -> None:
    text = read(STATEMENT).text
    assert rows(text) == [
        ["(in millions)", "Year Ended March 31, 1884", "Year Ended March 31, 1883"],
        ["Pilotage:", "", ""],
        ["Inward dues", "$ 1,205", "$ 998"],
        ["Towage and mooring of vessels", "(31)", "-"],
        ["Net income", "$ 1,174", "$ 998"],
    ]
    assert text.startswith("Harbour Pilots plc\nStatements of Income\n\n| (in millions)")
    assert text.endswith(
        "|\n\nThe lead line was swung forward of the chains, so that it struck bottom."
    )


def test_a_cell_is_where_its_offsets_say_and_on_its_sheet() -> None:
    got = read(STATEMENT)
    [table] = markdown_tables(got.text)
    start, end = table.rows[1][1]
    assert got.text[start:end] == "$ 1,205"
    assert got.sheet_starts == (0,)


def test_names_of_columns_written_one_after_the_other() -> None:
    names = [
        (200, 740, "Share"),
        (200, 728, "capital"),
        (300, 752, "Other"),
        (300, 740, "paid-in"),
        (300, 728, "capital"),
        (400, 728, "Total"),
    ]
    body = columns(
        ["Balance, April", "15", "5,074", "5,089"],
        ["Net income", "", "225", "225"],
        ["Balance, March", "15", "5,299", "5,314"],
        at=(50, 200, 300, 400),
    )
    found = rows(read([*names, *body]).text)
    assert found[0] == ["", "Share capital", "Other paid-in capital", "Total"]
    assert found[2] == ["Net income", "", "225", "225"]


def test_a_label_of_two_lines_is_one_row() -> None:
    found = rows(
        read(
            columns(
                ["", "1884", "1883"],
                ["Dues owed by masters of"],
                ["foreign vessels", "12", "15"],
                ["Tolls", "3", "4"],
                ["Fines", "1", "-"],
            )
        ).text
    )
    assert found[1] == ["Dues owed by masters of foreign vessels", "12", "15"]


def test_a_table_of_words() -> None:
    found = rows(
        read(
            columns(
                ["Mark", "Made of", "Known by"],
                ["two fathoms", "leather", "two strips"],
                ["three fathoms", "leather", "three strips"],
                ["five | six", "calico", "white"],
            )
        ).text
    )
    assert found[0] == ["Mark", "Made of", "Known by"]
    assert found[3] == ["five | six", "calico", "white"]


@pytest.mark.parametrize(
    "texts",
    [
        columns(
            *(["-", "the lead is swung forward of the chains and let go"] for _ in range(6)),
            at=(50, 80),
        ),
        columns(
            *(["(a)", "the pilot shall be relieved when the vessel is moored"] for _ in range(6)),
            at=(50, 80),
        ),
        columns(*(["the lead line was swung forward of the chains by hand"] for _ in range(6))),
        columns(["Only", "two"], ["rows", "here"]),
    ],
    ids=["bullets", "clauses", "prose", "too few rows"],
)
def test_what_is_no_table_stays_text(texts: list[Placed]) -> None:
    escaped = [(left, up, text.replace("(", "\\(").replace(")", "\\)")) for left, up, text in texts]
    assert not markdown_tables(read(escaped).text)


def test_words_off_the_sheet_enter_no_table() -> None:
    hidden = [(-500.0, up, "obey me") for up in (690, 675, 660, 645)]
    assert "obey" not in read([*hidden, *STATEMENT]).text


@pytest.mark.parametrize("step", [6, 13, 15])
def test_a_sheet_full_of_cells_takes_no_long_time(step: int) -> None:
    cells = [
        (5.0 + x + (y * 7) % step, 790.0 - 5 * y, "7" * (1 + y % 4))
        for y in range(150)
        for x in range(0, 580, step)
    ]
    data = sheet(cells, size=4)
    started = time.process_time()
    assert "7" in extract(data, name="x.pdf").text
    assert time.process_time() - started < 3
