"""From answered sub-questions to checked statements: the report's last two steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import Cancelled, OutputInvalid, PromptTooLong
from ..evidence import Citation
from .bare_answer import answers, bare_answer
from .comparison import Comparison, compared
from .events import ClaimDrafted, ClaimVerified, ContradictionFound, Warned
from .report import Claim, Contradiction, Findings
from .research_graph import ResearchGraph
from .short_answers import normalised
from .toolbox import PageLookup, Toolbox
from .verifier import repaired, verify
from .writer import Written, as_found, write


@dataclass(frozen=True, slots=True)
class Checked:
    """A statement with its verdict."""

    claim: Claim
    repaired: bool = False
    """Whether it was written anew from its sources."""


async def written_up(graph: ResearchGraph, box: Toolbox) -> Written:
    """The report's statements, and its short answer where the question asks for one.

    Raises:
        Cancelled: the user stopped the run.
        ModelError, EndpointError: as the engine raises them.
    """
    comparison = compared(graph)
    written = await _statements(graph, comparison, box)
    if comparison:
        return _with_answer(written, comparison.answer)
    if not box.effort.bare_answer or answers(written.findings.answer, graph.question):
        return written
    try:
        short = await bare_answer(graph.question, written.claims, box.engine, cancel=box.deadline)
    except PromptTooLong as error:
        box.emit(Warned(message=f"{error}; no short answer is given"))
        return written
    except Cancelled:
        box.cancel.check()
        return written
    return _with_answer(written, short) if short else written


def _with_answer(written: Written, short: str) -> Written:
    findings = written.findings.model_copy(update={"answer": short, "agreement": None})
    return replace(written, findings=findings)


async def _statements(graph: ResearchGraph, comparison: Comparison | None, box: Toolbox) -> Written:
    """The writer's statements; the searchers' own where it writes none that can be used."""
    try:
        return await write(
            graph,
            box.pages,
            box.engine,
            comparison=comparison,
            cancel=box.deadline,
            drafted=lambda claim: box.emit(ClaimDrafted(claim=claim)),
        )
    except (OutputInvalid, PromptTooLong) as error:
        box.emit(Warned(message=f"{error}; the sub-answers stand as they were found"))
    except Cancelled:
        box.cancel.check()
    return as_found(graph, box.pages)


async def checked(claim: Claim, question: str, box: Toolbox) -> Checked:
    """The claim with its verdict, written anew once if its sources do not bear it out.

    What cannot be judged stays ``unchecked``, with the reason.

    Raises:
        Cancelled: the user stopped the run.
        ModelError, EndpointError: as the engine raises them.
    """
    outcome = Checked(claim)
    try:
        outcome = Checked(await _verified(claim, question, box))
        if outcome.claim.verdict == "unsupported" and box.effort.repair:
            outcome = await _repaired(outcome.claim, question, box)
    except (OutputInvalid, PromptTooLong) as error:
        outcome = Checked(_unless_judged(outcome.claim, str(error)))
    except Cancelled:
        box.cancel.check()
        reason = "the budget ran out before it was checked"
        outcome = Checked(_unless_judged(outcome.claim, reason))
    judged = outcome.claim
    box.emit(ClaimVerified(claim=judged.text, verdict=judged.verdict, reason=judged.reason))
    return outcome


def conclusions(
    graph: ResearchGraph, outcomes: Sequence[Checked], findings: Findings, box: Toolbox
) -> tuple[tuple[Claim, ...], Findings]:
    """The statements that stand, and what the report says beside them.

    Where the effort says so, unsupported ones are left out, unless they are all there is. The
    short answer stands only with a statement that says it or cites words that do.
    """
    claims = tuple(outcome.claim for outcome in outcomes)
    standing = tuple(claim for claim in claims if claim.verdict != "unsupported")
    shown = standing if standing and box.effort.unsupported == "remove" else claims
    contradictions = _contradictions(graph, box.pages)
    for contradiction in contradictions:
        box.emit(ContradictionFound(contradiction=contradiction))
    return shown, findings.model_copy(
        update={
            "answer": findings.answer if _bear_out(findings.answer, shown) else "",
            "contradictions": contradictions,
            "repaired_claims": sum(outcome.repaired for outcome in outcomes),
            "removed_claims": len(claims) - len(shown),
        }
    )


def _bear_out(answer: str, claims: Sequence[Claim]) -> bool:
    """Whether one of ``claims`` says the answer or cites words that do; yes and no need any."""
    wanted = normalised(answer)
    if wanted in ("yes", "no"):
        return bool(claims)
    texts = [
        normalised(text)
        for claim in claims
        for text in (claim.text, *(citation.quote for citation in claim.citations))
    ]
    return bool(wanted) and any(f" {wanted} " in f" {text} " for text in texts)


def _contradictions(graph: ResearchGraph, pages: PageLookup) -> tuple[Contradiction, ...]:
    """Where the sources of an answered sub-question disagree, with both spans."""
    found = []
    for node in graph.answered:
        answer = node.answer
        if answer is None:
            continue
        for disagreement in answer.disagreements:
            places = (disagreement.evidence, disagreement.other_evidence)
            first, second = (answer.evidence[place].span for place in places)
            found.append(
                Contradiction(
                    question=node.text,
                    first=disagreement.value,
                    first_citation=Citation.of(first, pages.get(first.page_id)),
                    second=disagreement.other_value,
                    second_citation=Citation.of(second, pages.get(second.page_id)),
                )
            )
    return tuple(found)


async def _verified(claim: Claim, question: str, box: Toolbox) -> Claim:
    return await verify(
        claim,
        question=question,
        engine=box.engine,
        cancel=box.deadline,
        method=box.effort.verification,
    )


async def _repaired(claim: Claim, question: str, box: Toolbox) -> Checked:
    """The claim in new words that its sources bear out; as it is where there are none."""
    mended = await repaired(claim, question=question, engine=box.engine, cancel=box.deadline)
    if mended is None:
        return Checked(claim)
    again = await _verified(mended, question, box)
    return Checked(again, repaired=True) if again.verdict == "supported" else Checked(claim)


def _unless_judged(claim: Claim, reason: str) -> Claim:
    return claim if claim.verdict != "unchecked" else claim.model_copy(update={"reason": reason})
