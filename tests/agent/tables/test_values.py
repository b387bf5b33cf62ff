from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.tables.schema import ColumnType, Comparison, Constraint
from leadline.agent.tables.values import key_part, normalised, number_in, satisfies, shown


@pytest.mark.parametrize(
    ("text", "kind", "norm"),
    [
        ("1,024 m", "number", "1024"),
        ("−4.5", "number", "-4.5"),
        ("1.2 million", "number", "1200000"),
        ("7.9亿元", "number", "790000000"),
        ("no figure", "number", "no figure"),
        ("January 6, 2025", "date", "2025-01-06"),
        ("2024年5月3日", "date", "2024-05-03"),
        ("soon", "date", "soon"),
        ("https://www.MIT.edu/", "url", "mit.edu"),
        ("  North   SEA ", "text", "north sea"),
    ],
)
def test_what_says_the_same_is_the_same(text: str, kind: ColumnType, norm: str) -> None:
    assert normalised(text, kind) == norm


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Elbe[1][note 2]", "Elbe"),
        (r"a \| b", "a / b"),
        ("```x```", "'''x'''"),
        (" – ", ""),
        ("N/A", ""),
        ("two\nlines", "two lines"),
    ],
)
def test_what_is_shown(text: str, value: str) -> None:
    assert shown(text) == value


@given(st.text(max_size=40))
def test_a_shown_cell_breaks_no_table(text: str) -> None:
    value = shown(text)
    assert "|" not in value
    assert "\n" not in value
    assert "`" not in value
    assert shown(value) == value or "[" in text


def test_keys_without_differences_that_tell_nothing_apart() -> None:
    assert key_part("St. John's [2]") == key_part("st johns")
    assert key_part("上海 市") == key_part("上海市")
    assert key_part("-") == "-"


@pytest.mark.parametrize(
    ("text", "kind", "comparison", "value", "holds"),
    [
        ("1,094 km", "number", ">", "500", True),
        ("450 km", "number", ">=", "500", False),
        ("unknown length", "number", "<", "500", True),
        ("3 May 2024", "date", "<", "2024-06-01", True),
        ("3 May 2024", "date", ">", "2024-06-01", False),
        ("Baltic Sea", "text", "=", "baltic sea", True),
        ("Baltic Sea", "text", "!=", "Baltic Sea", False),
        ("Baltic Sea", "text", "contains", "SEA", True),
    ],
)
def test_constraints(
    text: str, kind: ColumnType, comparison: Comparison, value: str, holds: bool
) -> None:
    constraint = Constraint(column="c", comparison=comparison, value=value)
    assert satisfies(text, kind, constraint) == holds


def test_numbers_in_words() -> None:
    assert number_in("covid-19") == 19
    assert number_in("about 1 234 567 people") == 1234567
    assert number_in("none") is None
