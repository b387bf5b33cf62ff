"""The page of all results."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from leadline.errors import InputError
from leadline.evals.result import FORMAT, Build, DataUsed, EvaluationResult, keep
from leadline.evals.result_charts import chart
from leadline.evals.result_report import read_results, results_html
from leadline.evals.rows import Row

HOSTILE = '<script>alert(1)</script>"\x1b[31m'


def result(name: str = "rerank", *, day: int = 1, share: float = 0.5) -> EvaluationResult:
    row = Row("bm25", "none", "trec", "ndcg@10", share, share - 0.1, share + 0.1, 2)
    questions = tuple(
        {
            "method": "bm25",
            "sets": ["trec"],
            "question": f"q{n}",
            "shares": {"ndcg@10": share + n / 100},
        }
        for n in range(2)
    )
    return EvaluationResult(
        name=name,
        data=DataUsed("/data/trec", "ab" * 32, 2),
        settings={"limit": 2},
        machine={"cores": 2},
        rows=(row, replace(row, metric="seconds", value=250.0, low=200.0, high=301.0)),
        questions=questions,  # type: ignore[arg-type]
        seconds=1.5,
        format=FORMAT,
        leadline=Build("0.1.0", "c" * 40),
        started_at=datetime(2026, 1, day, 12, 30, tzinfo=UTC),
    )


def test_a_section_for_each_evaluation_with_rows_and_drawings(tmp_path: Path) -> None:
    keep(result(), tmp_path)
    keep(result("multihop"), tmp_path)
    (tmp_path / "other.json").write_text("{}")
    results, problems = read_results(tmp_path)
    assert len(problems) == 1 and "other.json holds no result" in problems[0]
    page = results_html(results)
    assert page.count("<section") == 2
    assert page.count("<svg") == 4
    assert "0.400 to 0.600" in page and "2026-01-01 12:30 UTC" in page
    assert "ab" * 32 in page and "c" * 40 in page
    assert "beside" not in page


def test_the_page_loads_nothing_and_obeys_nobody() -> None:
    hostile = replace(
        result(HOSTILE),
        data=DataUsed(HOSTILE, HOSTILE, 1),
        settings={HOSTILE: HOSTILE},
        machine={HOSTILE: HOSTILE},
        model=HOSTILE,
        rows=(Row(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 0.5, 0.4, 0.6, 1),),
        leadline=Build(HOSTILE, HOSTILE),
    )
    page = results_html([hostile, hostile])
    assert "<script" not in page and "\x1b" not in page
    assert "default-src 'none'" in page
    assert "http" not in page.replace("http-equiv", "")


def test_runs_on_the_same_data_are_compared_and_others_are_not() -> None:
    first, second = result(day=1), result(day=2, share=0.7)
    page = results_html([first, second])
    assert "Result 2 beside result 1" in page
    assert "<strong>+0.200</strong>" in page
    assert "not comparable" not in page
    other = replace(result(day=3), data=DataUsed("/data/trec", "cd" * 32, 2))
    page = results_html([first, second, other])
    assert "Result 3 beside" not in page
    assert (
        "not comparable with each other: 1, 2 on data abababababab; 3 on data cdcdcdcdcdcd" in page
    )


def test_without_questions_the_rows_are_set_beside_each_other() -> None:
    first, second = (replace(result(share=share), questions=()) for share in (0.5, 0.7))
    page = results_html([first, second])
    assert "no question in common" in page
    assert '<td class="figure">0.200</td>' in page


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no result"):
        read_results(tmp_path)


def test_bars_reach_their_values_and_whiskers_their_intervals() -> None:
    rows = [Row("a", "m", "s", "x", 0.5, 0.25, 1.0, 3), Row("b", "m", "s", "x", -0.5, -1.0, 0.0, 3)]
    drawing = ElementTree.fromstring(chart("x", rows))
    first, second = drawing.findall(".//rect")
    assert float(first.attrib["width"]) == float(second.attrib["width"]) == 95.0
    assert float(second.attrib["x"]) + 95.0 == float(first.attrib["x"])
    assert len(drawing.findall(".//path")) == 2


def test_figures_without_end_are_not_drawn() -> None:
    endless = replace(result(), rows=(Row("a", "m", "s", "x", float("inf"), 0.0, 1.0, 1),))
    page = results_html([endless])
    assert "<svg" not in page and "–" in page


def test_an_axis_has_round_figures() -> None:
    drawing = ElementTree.fromstring(chart("x", [Row("a", "m", "s", "x", 0.007, 0.0, 0.0108, 3)]))
    ticks = [each.text for each in drawing.findall("text")]
    assert ticks == ["0", "0.002", "0.004", "0.006", "0.008", "0.01"]
