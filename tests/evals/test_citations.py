"""What citations are worth, on reports whose pages say what they cite, or do not."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadline.agent.report import Claim, Report
from leadline.cancellation import Cancellation
from leadline.evals import citations
from leadline.evals.citations import Check, ModelCheck, WordCheck
from leadline.evals.trials import FinishedTrials
from leadline.evidence import Citation, Page
from leadline.locations import locations
from leadline.progress import silent
from leadline.runtime.scripted_engine import ScriptedEngine
from leadline.tools.page_store import PageStore

from ..kept_runs import cite, keep_page, keep_run

TEXT = "The harbour of Port Alder was opened in 1902. It has three quays. Whales are mammals."


@pytest.fixture
def page() -> Page:
    return keep_page("https://example.org/h", TEXT)


def report_of(*claims: Claim) -> Report:
    report = keep_run("When was it opened?", *claims).report
    assert report is not None
    return report


async def shares_of(report: Report, check: Check | None = None) -> dict[str, float]:
    store = PageStore(locations().pages)

    def find(page_id: str) -> Page | None:
        return store.get(page_id) if page_id in store else None

    finished = FinishedTrials(locations().cache / "trials.jsonl")
    [score] = await citations.measure(
        [report], [check or WordCheck()], find, finished, cancel=Cancellation(), progress=silent
    )
    assert (score.model, score.sets) == ("m", ("reports",))
    assert finished.get(score.method, report.run_id) == (score,)
    return score.shares


async def test_a_claim_in_the_words_of_its_source(page: Page) -> None:
    opened = cite(page, "The harbour of Port Alder was opened in 1902.")
    report = report_of(
        Claim(text="The harbour was opened in 1902.", citations=(opened,), verdict="supported")
    )
    assert await shares_of(report) == {
        "citations resolve": 1.0,
        "quotes to the letter": 1.0,
        "claims cited": 1.0,
        "citation recall": 1.0,
        "citation precision": 1.0,
        "words covered": 1.0,
        "own verdict agrees": 1.0,
    }


async def test_a_citation_that_adds_nothing_is_not_precise(page: Page) -> None:
    opened = cite(page, "The harbour of Port Alder was opened in 1902.")
    whales = cite(page, "Whales are mammals.")
    claim = Claim(text="The harbour was opened in 1902.", citations=(opened, whales))
    shares = await shares_of(report_of(claim))
    assert (shares["citation recall"], shares["citation precision"]) == (1.0, 0.5)
    assert "own verdict agrees" not in shares


async def test_citations_that_only_together_bear_out_are_precise(page: Page) -> None:
    opened = cite(page, "The harbour of Port Alder was opened in 1902.")
    quays = cite(page, "It has three quays.")
    claim = Claim(text="Opened in 1902, it has three quays.", citations=(opened, quays))
    shares = await shares_of(report_of(claim))
    assert (shares["citation recall"], shares["citation precision"]) == (1.0, 1.0)


async def test_another_number_and_no_citation_are_not_borne_out(page: Page) -> None:
    opened = cite(page, "The harbour of Port Alder was opened in 1902.")
    report = report_of(
        Claim(text="The harbour was opened in 1903.", citations=(opened,), verdict="supported"),
        Claim(text="The harbour has a lighthouse."),
    )
    shares = await shares_of(report)
    assert (shares["citation recall"], shares["claims cited"]) == (0.0, 0.5)
    assert (shares["citation precision"], shares["own verdict agrees"]) == (0.0, 0.0)
    alone = await shares_of(report_of(Claim(text="The harbour has a lighthouse.")))
    assert alone == {"claims cited": 0.0, "citation recall": 0.0, "words covered": 0.0}


async def test_what_the_page_says_counts_not_what_the_report_quotes(page: Page) -> None:
    whales = cite(page, "Whales are mammals.")
    forged = whales.model_copy(update={"quote": "The harbour was opened in 1902."})
    gone = whales.model_copy(update={"page_id": "0" * 64})
    behind = whales.model_copy(update={"start": 10_000, "end": 10_010})
    claim = Claim(text="The harbour was opened in 1902.", citations=(forged, gone, behind))
    shares = await shares_of(report_of(claim))
    assert shares["citations resolve"] == pytest.approx(1 / 3)
    assert shares["quotes to the letter"] == 0.0
    assert (shares["citation recall"], shares["citation precision"]) == (0.0, 0.0)


async def test_a_model_judges_meaning(page: Page) -> None:
    opened: Citation = cite(page, "The harbour of Port Alder was opened in 1902.")
    claim = Claim(text="Ships could moor at Port Alder from then on.", citations=(opened,))
    for answer, recall in (("yes", 1.0), ("no", 0.0)):
        check = ModelCheck(ScriptedEngine([answer]), f"judged by {answer}")
        shares = await shares_of(report_of(claim), check)
        assert shares["citation recall"] == shares["citation precision"] == recall


async def test_a_finished_report_is_not_measured_again(page: Page, tmp_path: Path) -> None:
    report = report_of(Claim(text="Whales are mammals.", citations=(cite(page, "Whales"),)))
    finished = FinishedTrials(tmp_path / "trials.jsonl")
    for answers in (["no"], []):
        check = ModelCheck(ScriptedEngine(answers), "judge")
        [score] = await citations.measure(
            [report],
            [check],
            lambda _: page,
            finished,
            cancel=Cancellation(),
            progress=silent,
        )
        assert score.shares["citation recall"] == 0.0
