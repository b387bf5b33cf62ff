from __future__ import annotations

from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import ConfigError
from leadline.evals import filings
from leadline.evals.rankers import LexicalRanker
from leadline.evals.reading_method import RankerMethod, ReadingMethod
from leadline.evals.trials import Evaluation
from leadline.evidence import Evidence
from leadline.progress import silent
from leadline.runtime.made_pages import made_page
from leadline.settings import load_settings

from .scripted_method import ScriptedMethod
from .tiny_data import write_financebench


async def load(folder: Path) -> Evaluation:
    return await filings.load(
        folder, settings=load_settings(), cancel=Cancellation(), progress=silent
    )


async def shares(folder: Path, method: ReadingMethod) -> dict[str, float]:
    [trial] = (await load(folder)).trials
    [score] = await trial.measure(method, cancel=Cancellation(), progress=silent)
    return score.shares


async def test_the_sheet_of_the_best_evidence_is_found(tmp_path: Path) -> None:
    folder = write_financebench(tmp_path)
    # The filing is short: all of it fits one piece of evidence.
    found = await shares(folder, RankerMethod("bm25", "none", LexicalRanker()))
    assert found == {"gold sheet@1": 1.0, "gold sheet@5": 1.0, "gold sheet@10": 1.0}


async def test_sheets_count_by_rank(tmp_path: Path) -> None:
    folder = write_financebench(tmp_path, gold=(1, 3, 3))
    method = ScriptedMethod(lambda _: ["Annual", "Signatures", "17 million"])
    assert await shares(folder, method) == {
        "gold sheet@1": 0.0,
        "gold sheet@5": 1.0,
        "gold sheet@10": 1.0,
    }
    late = ScriptedMethod(lambda _: ["17 million", *["Annual"] * 4, "Signatures"])
    assert await shares(folder, late) == {
        "gold sheet@1": 0.5,
        "gold sheet@5": 0.5,
        "gold sheet@10": 1.0,
    }


def test_a_span_over_a_sheets_end_touches_both() -> None:
    page = made_page("", "one\n\ntwo\n\nfour", sheet_starts=(0, 5, 10, 10))

    def touched(start: int, end: int) -> set[int]:
        return filings.sheets(page, [Evidence(span=page.span(start, end), score=1.0, question="q")])

    assert touched(0, 3) == {0}
    assert touched(5, 8) == {1}
    assert touched(0, 8) == {0, 1}
    # The third sheet is empty and starts where the fourth does.
    assert touched(10, 14) == {3}


async def test_a_sheet_that_the_filing_does_not_have_is_damage(tmp_path: Path) -> None:
    folder = write_financebench(tmp_path, gold=(4,))
    with pytest.raises(ConfigError, match=r"financebench_id_1: sheet 4 of LEADLINE.*has 4"):
        await load(folder)


async def test_a_missing_filing_is_named(tmp_path: Path) -> None:
    folder = write_financebench(tmp_path)
    (folder / "pdfs" / "LEADLINE_2020_10K.pdf").unlink()
    with pytest.raises(ConfigError, match=r"cannot read .*LEADLINE_2020_10K\.pdf"):
        await load(folder)


async def test_a_damaged_line_is_numbered(tmp_path: Path) -> None:
    path = write_financebench(tmp_path) / "questions.jsonl"
    path.write_text(path.read_text() + '{"question": "?"}\n')
    with pytest.raises(ConfigError, match=r"questions\.jsonl is damaged \(line 2"):
        await load(tmp_path)


async def test_a_filing_is_looked_for_in_its_folder_only(tmp_path: Path) -> None:
    path = write_financebench(tmp_path) / "questions.jsonl"
    path.write_text(path.read_text().replace('"LEADLINE_2020_10K"', '"../../etc/passwd"'))
    with pytest.raises(ConfigError, match=r"line 1, doc_name: .*pattern"):
        await load(tmp_path)
