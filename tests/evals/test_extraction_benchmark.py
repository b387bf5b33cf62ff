"""The benchmark of main text, on pages made here."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.cli.main import run
from leadline.errors import Cancelled, ConfigError
from leadline.evals import extraction
from leadline.progress import silent

BODY = [f"The lead was cast {n} times, and each time it found no bottom at all." for n in range(9)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    pages = {"a": BODY, "b": BODY[:6], "c": BODY[3:]}
    (tmp_path / "html").mkdir()
    for key, lines in pages.items():
        body = "".join(f"<p>{line}</p>" for line in lines)
        page = f"<html><head><title>T</title></head><body><article>{body}</article></body></html>"
        (tmp_path / "html" / f"{key}.html.gz").write_bytes(gzip.compress(page.encode()))
    truth = {
        key: {"articleBody": "\n".join(lines), "url": f"https://{key}.example"}
        for key, lines in pages.items()
    }
    (tmp_path / "ground-truth.json").write_text(json.dumps(truth))
    return tmp_path


def test_the_command(data: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval", "run", "extraction", "--data", str(data), "--part", "all", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["name"], result["data"]["n"]) == ("extraction", 3)
    ours = {row["metric"]: row for row in result["rows"] if row["method"] == "leadline"}
    assert ours["f1"]["value"] == pytest.approx(1)
    assert {row["method"] for row in result["rows"]} == {"leadline", "trafilatura"}
    assert len(result["questions"]) == 6


def test_parts_do_not_overlap(data: Path) -> None:
    def keys(part: extraction.Part) -> list[str]:
        return [page.key for page in extraction.load(data, part=part, limit=None, seed=None)]

    assert (keys("development"), keys("held-out")) == (["a", "b"], ["c"])
    assert keys("all") == ["a", "b", "c"]


def test_matches_are_shares_of_a_page() -> None:
    match = extraction.compare("m", "k", "one two three four five", "one two three four six")
    assert (match.right, match.wrong, match.missed) == pytest.approx((1 / 3, 1 / 3, 1 / 3))
    assert extraction.compare("m", "k", "", "one two three four five").missed == pytest.approx(
        2 / 3
    )
    [precision, recall, f1] = extraction.rows([match])
    assert precision.value == recall.value == f1.value == pytest.approx(0.5)


def test_it_can_be_stopped(data: Path) -> None:
    cancel = Cancellation()
    cancel.cancel()
    pages = extraction.load(data, part="all", limit=1, seed=None)
    with pytest.raises(Cancelled):
        next(extraction.measure(pages, cancel=cancel, progress=silent))


def test_missing_data(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ground-truth\.json"):
        extraction.load(tmp_path, part="all", limit=None, seed=None)
