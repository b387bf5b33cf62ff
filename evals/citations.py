"""What the citations of finished reports are worth, checked apart from the run that made them.

Whether each leads to its page and quotes it to the letter; and citation recall and precision as in
ALCE (Gao et al., "Enabling large language models to generate text with citations", EMNLP 2023):
recall is the share of claims that the spans they cite, taken together, bear out; a citation is
precise if its claim is borne out and the citation bears it out alone, or the others do not without
it. Recall and precision are averaged over reports.

What bears out what is told by a check of its own: by words (:class:`WordCheck`), or by a model,
which should not be the one that wrote (:class:`ModelCheck`). Both see the words that stand in the
page at the cited place, whatever the report quotes. What cannot be told, such as the precision of
claims that cite nothing, is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

from ..agent.grounding import coverage, unfounded_terms
from ..agent.report import Claim, Report
from ..agent.verifier import verify
from ..cancellation import Cancellation
from ..evidence import Citation, Page
from ..progress import Progress
from ..runtime.engine import Engine
from .scores import Score
from .trials import FinishedTrials

FindPage = Callable[[str], Page | None]
"""The page of an id; None where it is not kept."""

_SET = "reports"
_COVERED = 0.7
"""Share of a claim's words, by length, from which on a span counts as its source."""


class Check(Protocol):
    """Tells whether words bear out a claim. ``name`` heads its rows."""

    @property
    def name(self) -> str: ...

    async def bears_out(self, claim: Claim, question: str, *, cancel: Cancellation) -> bool:
        """Whether the quotes of the claim's citations, together, say what it says.

        Raises:
            PromptTooLong, ModelError, EndpointError: a model cannot tell.
            Cancelled: ``cancel`` was set.
        """
        ...


@dataclass(frozen=True, slots=True)
class WordCheck:
    """The quotes have most of the claim's words, and every number and identifier in it.

    It knows no meaning: a claim in other words counts as not borne out, one that turns its source's
    words round as borne out.
    """

    name: str = "words"

    async def bears_out(self, claim: Claim, question: str, *, cancel: Cancellation) -> bool:
        cancel.check()
        quotes = [citation.quote for citation in claim.citations]
        if unfounded_terms(claim.text, [*quotes, question]):
            return False
        return coverage(claim.text, "\n".join(quotes)) >= _COVERED


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """The verifier of research, with a model that is chosen for it."""

    engine: Engine
    name: str

    async def bears_out(self, claim: Claim, question: str, *, cancel: Cancellation) -> bool:
        judged = await verify(claim, question=question, engine=self.engine, cancel=cancel)
        return judged.verdict == "supported"


async def measure(
    reports: Sequence[Report],
    checks: Sequence[Check],
    find_page: FindPage,
    finished: FinishedTrials,
    *,
    cancel: Cancellation,
    progress: Progress,
) -> list[Score]:
    """The scores of each report by each check; ``finished`` ones are not measured again.

    Raises:
        PromptTooLong, ModelError, EndpointError: a model cannot tell.
        StorageError: scores cannot be kept.
        Cancelled: ``cancel`` was set; what is finished is kept.
    """
    scores: list[Score] = []
    for check in checks:
        for done, report in enumerate(reports):
            progress(f"citations, {check.name}", done, len(reports), "reports")
            known = finished.get(check.name, report.run_id)
            if known is None:
                known = (await _scored(report, check, find_page, cancel),)
                finished.add(check.name, report.run_id, known)
            scores += known
    return scores


def is_cited(report: Report) -> bool:
    """Whether there is anything to measure in a report."""
    return bool(report.claims) or any(_in_table(report))


async def _scored(report: Report, check: Check, find_page: FindPage, cancel: Cancellation) -> Score:
    cited = [citation for claim in report.claims for citation in claim.citations]
    cited += _in_table(report)
    found = [_words_in_page(citation, find_page) for citation in cited]
    shares: dict[str, float] = {}
    if cited:
        exact = [words == each.quote for words, each in zip(found, cited, strict=True)]
        shares["citations resolve"] = fmean(words is not None for words in found)
        shares["quotes to the letter"] = fmean(exact)
    if report.claims:
        shares |= await _of_claims(report, check, find_page, cancel)
    return Score(
        method=check.name,
        model=report.model,
        sets=(_SET,),
        question=f"{report.run_id}: {report.question}",
        shares=shares,
    )


async def _of_claims(
    report: Report, check: Check, find_page: FindPage, cancel: Cancellation
) -> dict[str, float]:
    """Recall and precision, and how often the run's own verdict is that of ``check``."""
    recalled, precise, agreed, covered = [], [], [], []
    for claim in report.claims:
        read = _as_read(claim, find_page)
        quotes = "\n".join(citation.quote for citation in read.citations)
        covered.append(coverage(claim.text, quotes))
        borne_out = await _bears_out(check, read, report.question, cancel)
        recalled.append(borne_out)
        if claim.verdict != "unchecked":
            agreed.append(borne_out == (claim.verdict == "supported"))
        for place in range(len(read.citations)):
            precise.append(
                borne_out and await _is_needed(check, read, place, report.question, cancel)
            )
    shares = {
        "claims cited": fmean(bool(claim.citations) for claim in report.claims),
        "citation recall": fmean(recalled),
        "words covered": fmean(covered),
    }
    if precise:
        shares["citation precision"] = fmean(precise)
    if agreed:
        shares["own verdict agrees"] = fmean(agreed)
    return shares


async def _is_needed(
    check: Check, claim: Claim, place: int, question: str, cancel: Cancellation
) -> bool:
    """Whether one citation bears out the claim alone, or the others do not without it."""
    if len(claim.citations) == 1:
        return True
    alone = (claim.citations[place],)
    others = claim.citations[:place] + claim.citations[place + 1 :]
    if await _bears_out(check, _citing(claim, alone), question, cancel):
        return True
    return not await _bears_out(check, _citing(claim, others), question, cancel)


async def _bears_out(check: Check, claim: Claim, question: str, cancel: Cancellation) -> bool:
    readable = tuple(citation for citation in claim.citations if citation.quote.strip())
    if not readable:
        return False
    return await check.bears_out(_citing(claim, readable), question, cancel=cancel)


def _as_read(claim: Claim, find_page: FindPage) -> Claim:
    """The claim with the words that stand at its citations' places; none where nothing does."""
    return _citing(
        claim,
        tuple(
            citation.model_copy(update={"quote": _words_in_page(citation, find_page) or ""})
            for citation in claim.citations
        ),
    )


def _citing(claim: Claim, citations: tuple[Citation, ...]) -> Claim:
    return claim.model_copy(update={"citations": citations})


def _words_in_page(citation: Citation, find_page: FindPage) -> str | None:
    """What stands at the cited place; None where there is no such place."""
    page = find_page(citation.page_id)
    if page is None or not citation.start < citation.end <= len(page.text):
        return None
    return page.text[citation.start : citation.end]


def _in_table(report: Report) -> Iterator[Citation]:
    for row in report.table.rows if report.table is not None else ():
        for cell in row.values():
            yield from cell.citations
