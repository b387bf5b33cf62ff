"""A table found by a real model, from the first prompt to the last span."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from leadline.cli.exit_codes import ExitCode
from leadline.cli.main import run

pytestmark = pytest.mark.slow

_PAGE = """<html><head><title>{title}</title></head><body><h1>{title}</h1><p>{text}</p>
<table><tr>{head}</tr>{rows}</table></body></html>"""


QUERY = (
    "All rivers of Alderland with their length in km and their mouth. "
    "Column names: River, Length (km), Mouth"
)


def page(title: str, text: str, head: list[str], rows: list[list[str]]) -> str:
    return _PAGE.format(
        title=title,
        text=text,
        head="".join(f"<th>{name}</th>" for name in head),
        rows="".join("<tr>" + "".join(f"<td>{c}</td>" for c in row) + "</tr>" for row in rows),
    )


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    folder.mkdir()
    rivers = [
        ["Elm", "1,094", "North Bay"],
        ["Oak", "777", "North Bay"],
        ["Ash", "310", "Lake Fir"],
    ]
    (folder / "rivers.html").write_text(
        page("Rivers of Alderland", "All rivers.", ["River", "Length (km)", "Mouth"], rivers)
    )
    peaks = [["Mount Yew", "2,011"], ["Mount Box", "1,876"]]
    (folder / "peaks.html").write_text(
        page("Mountains of Alderland", "The highest ones.", ["Mountain", "Height (m)"], peaks)
    )
    return folder


def test_the_rivers_are_found_and_the_mountains_are_not(
    documents: Path,
    real_models: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    real_models("qwen2.5-coder-1.5b", "all-minilm-l6-v2")
    status = run(
        [
            "table",
            QUERY,
            *("--corpus", str(documents), "--reader", "none", "--json", "-q"),
        ]
    )
    assert status in (ExitCode.OK, ExitCode.PARTIAL)
    report = json.loads(capsys.readouterr().out)
    rows = {row["River"]["value"]: row for row in report["table"]["rows"]}
    assert {"Elm", "Oak", "Ash"} <= rows.keys()
    assert rows["Elm"]["Length (km)"]["normalised"] == "1094"
    assert report["markdown"].count("```") == 2
    for row in rows.values():
        for cell in row.values():
            for citation in cell["citations"]:
                assert run(["runs", "show", "last", "--page", citation["page_id"]]) == ExitCode.OK
                text = capsys.readouterr().out
                assert text[citation["start"] : citation["end"]] == citation["quote"]
