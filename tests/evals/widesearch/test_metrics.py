from __future__ import annotations

import pytest

from leadline.evals.widesearch import metrics, official_metrics
from leadline.evals.widesearch.tasks import ColumnRule, Metric


def rule(metric: Metric, criterion: float | None = None) -> ColumnRule:
    return ColumnRule(metric=(metric,), criterion=criterion)


@pytest.mark.parametrize(
    ("metric", "response", "gold", "right", "official"),
    [
        ("exact_match", "Ａ b", "AB", True, False),
        ("exact_match", "2.0", "2", True, False),
        ("exact_match", "007", "7", True, False),
        ("exact_match", "N/A", "-", True, False),
        ("exact_match", "2", "3", False, False),
        ("url_match", "https://mit.edu", "https://www.mit.edu/", True, False),
        ("url_match", "www.mit.edu", "https://mit.edu/a", True, False),
        ("url_match", "unknown place", "nowhere", False, True),
        ("url_match", "https://a.org", "https://b.org", False, False),
        ("in_match", "nan", "finance", False, True),
        ("in_match", "", "finance", False, True),
        ("in_match", "France", "finland;france", True, False),
        ("date_near", "2024-02-05", "2024-01-05", True, True),
        ("date_near", "2024-02-06", "2024-01-05", False, False),
        ("date_near", "2024", "2024-01-20", True, None),
        ("date_near", "soon", "later", False, True),
        ("date_near", "2024年5月3日", "May 3, 2024", True, True),
    ],
)
def test_cells(
    metric: Metric, response: str, gold: str, right: bool, official: bool | None
) -> None:
    assert metrics.CELL_METRICS[metric](response, gold, rule(metric)) == right
    if official is not None:
        assert official_metrics.CELL_METRICS[metric](response, gold, rule(metric)) == official


@pytest.mark.parametrize(
    ("response", "gold", "right"),
    [
        ("100%", "100", True),
        ("95%", "0.95", True),
        ("1.1", "1", True),
        ("1.2", "1", False),
        ("-1", "1", False),
        ("0", "0", True),
        ("NULL", "NULL", True),
        ("NULL", "3", False),
        ("free", "none", False),
    ],
)
def test_numbers_within_a_tenth(response: str, gold: str, right: bool) -> None:
    assert metrics.number_near(response, gold, rule("number_near", 0.1)) == right


@pytest.mark.parametrize(
    ("content", "number", "official"),
    [
        ("1,024 m", "1024", "1024"),
        ("3,4", "3", "34"),
        ("covid-19", "19", "-19"),
        ("−5 °C", "-5", "5"),
        ("７.９亿元", "7.9", "７.９"),
        ("about 12 %", "12%", "12"),
        ("1 234 567", "1", "1"),
        ("1\u202f234\u202f567", "1234567", "1"),
        (".5", ".5", ".5"),
        ("n/a", "NULL", "NULL"),
        ("many", "many", "NULL"),
    ],
)
def test_first_numbers(content: str, number: str, official: str) -> None:
    assert metrics.extract_number(content) == number
    assert official_metrics.extract_number(content) == official


def test_dates_do_not_depend_on_today() -> None:
    assert metrics.norm_date("2024") == "2024-01-01"
    assert metrics.norm_date("Jan 6, 2025") == "2025-01-06"
    assert metrics.norm_date("No date") == "nodate"
