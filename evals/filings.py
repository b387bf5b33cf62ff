"""Questions on company filings: is the sheet with the answer among those that evidence is from?

FinanceBench (Islam et al., arXiv 2311.11944): questions by experts, each on one PDF, with the
numbers of the sheets that hold the answer.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field, TypeAdapter

from ..cancellation import Cancellation
from ..evidence import Evidence, Page
from ..progress import Progress
from ..runtime.made_pages import made_page
from ..runtime.reader import ReadingBudget
from ..settings import Settings
from ..threads import in_thread
from ..tools.extraction import extract
from .data_files import DataRecord, damaged, read_data_file, read_json_lines
from .reading_method import ReadingMethod
from .scores import Score, reading_costs
from .trials import Evaluation

_SET = "financebench"
_DEPTHS = (1, 5, 10)
_EVIDENCE_CHARS = 500


class _Evidence(DataRecord):
    evidence_page_num: int = Field(ge=0)


class _Question(DataRecord):
    financebench_id: str
    question: str
    doc_name: str = Field(pattern=r"^[\w.-]+$")
    evidence: tuple[_Evidence, ...] = Field(min_length=1)


@dataclass(frozen=True, slots=True)
class FilingTrial:
    """A question on one filing. ``gold`` are places of sheets, from 0."""

    key: str
    question: str
    filing: Page
    gold: frozenset[int]
    budget: ReadingBudget

    async def measure(
        self, method: ReadingMethod, *, cancel: Cancellation, progress: Progress
    ) -> list[Score]:
        [reading] = await method.read(
            [self.question], [self.filing], budget=self.budget, cancel=cancel, progress=progress
        )
        shares = {}
        for at in _DEPTHS:
            seen = sheets(self.filing, reading.evidence[:at])
            shares[f"gold sheet@{at}"] = len(self.gold & seen) / len(self.gold)
        return [
            Score(
                method=method.name,
                model=method.model,
                sets=(_SET,),
                question=self.question,
                shares=shares,
                costs=reading_costs(reading),
            )
        ]


def sheets(filing: Page, evidence: Sequence[Evidence]) -> set[int]:
    """The places, from 0, of all sheets that spans of ``evidence`` touch."""
    found: set[int] = set()
    for item in evidence:
        first = filing.sheet_number(item.span.start)
        last = filing.sheet_number(item.span.end - 1)
        if first is not None and last is not None:
            found.update(range(first - 1, last))
    return found


async def load(
    folder: Path,
    *,
    settings: Settings,
    limit: int | None = None,
    seed: int | None = None,
    cancel: Cancellation,
    progress: Progress,
) -> Evaluation:
    """The evaluation over ``folder``: the first ``limit`` questions, after a shuffle by ``seed``.

    Raises:
        ConfigError: a file is missing or damaged.
        ExtractionError: a filing holds no text that can be read.
        Cancelled: ``cancel`` was set meanwhile.
    """
    path = folder / "questions.jsonl"
    questions = read_json_lines(path, TypeAdapter(_Question))
    if seed is not None:
        random.Random(seed).shuffle(questions)
    questions = questions[:limit]
    names = list(dict.fromkeys(question.doc_name for question in questions))

    def extract_filings(stop: Cancellation) -> dict[str, Page]:
        filings = {}
        for done, name in enumerate(names, start=1):
            stop.check()
            filings[name] = _read_filing(folder / "pdfs" / f"{name}.pdf")
            progress("extracting", done, len(names), "filings")
        return filings

    filings = await in_thread(extract_filings, cancel=cancel)
    budget = ReadingBudget(settings.reading_tokens, max(_DEPTHS), _EVIDENCE_CHARS)
    trials = []
    for question in questions:
        filing = filings[question.doc_name]
        gold = frozenset(evidence.evidence_page_num for evidence in question.evidence)
        if max(gold) >= len(filing.sheet_starts):
            raise damaged(
                path,
                f"{question.financebench_id}: sheet {max(gold)} of {question.doc_name}, "
                f"which has {len(filing.sheet_starts)}",
            )
        trials.append(
            FilingTrial(question.financebench_id, question.question, filing, gold, budget)
        )
    return Evaluation(
        name="filings",
        folders=(folder,),
        settings={"limit": limit, "seed": seed, "evidence_chars": _EVIDENCE_CHARS},
        trials=trials,
        questions=len(trials),
    )


def _read_filing(path: Path) -> Page:
    got = extract(read_data_file(path), name=str(path))
    return made_page(got.title, got.text, sheet_starts=got.sheet_starts)
