from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.agent.contradictions import contradictions_in, other_value
from leadline.agent.research_graph import CitedClaim, Disagreement, SubAnswer
from leadline.cancellation import Cancellation
from leadline.evidence import Evidence, Span
from leadline.runtime.scripted_engine import ScriptedEngine

QUESTION = "In which year was the harbour of Port Alder opened?"
FIRST = "The harbour of Port Alder was opened in 1902."
SECOND = "The harbour of Port Alder was opened in 1904, late in the year."


def answered(short: str, quotes: Sequence[str]) -> SubAnswer:
    evidence = tuple(
        Evidence(
            span=Span(page_id=f"{place}" * 64, start=0, end=len(quote), quote=quote),
            score=1.0,
            question=QUESTION,
        )
        for place, quote in enumerate(quotes)
    )
    claims = (CitedClaim(text=f"It was opened in {short}.", evidence=(0,)),)
    return SubAnswer(claims=claims, short=short, evidence=evidence)


async def found(answer: SubAnswer, engine: ScriptedEngine) -> tuple[Disagreement, ...]:
    return await contradictions_in(QUESTION, answer, engine=engine, cancel=Cancellation())


async def test_two_sources_with_two_years_disagree_if_the_model_confirms() -> None:
    answer = answered("1902", [FIRST, SECOND])
    [disagreement] = await found(answer, ScriptedEngine(["yes"]))
    assert disagreement == Disagreement(
        evidence=0, value="1902", other_evidence=1, other_value="1904"
    )
    assert await found(answer, ScriptedEngine(["no"])) == ()
    assert await found(answer, ScriptedEngine(["Well"])) == ()


async def test_what_says_the_same_or_something_else_asks_no_model() -> None:
    silent = ScriptedEngine([])
    same = "Since 1902 the harbour of Port Alder is opened to all."
    elsewhere = "The harbour of Elm Island was opened in 1911."
    other = "The lighthouse was built in 1850."
    assert await found(answered("1902", [FIRST, same, elsewhere, other]), silent) == ()
    assert await found(answered("", [FIRST, SECOND]), silent) == ()


async def test_one_page_does_not_contradict_itself() -> None:
    answer = answered("1902", [FIRST, SECOND])
    first, second = answer.evidence
    moved = second.model_copy(
        update={"span": second.span.model_copy(update={"page_id": first.span.page_id})}
    )
    alone = answer.model_copy(update={"evidence": (first, moved)})
    assert await found(alone, ScriptedEngine([])) == ()


def test_numbers_and_names_of_the_question_are_kept_apart() -> None:
    question = "How deep is the water at buoy 7?"
    assert other_value(question, "52", "The water at buoy 8 is 53 fathoms deep.") == ""
    assert other_value(question, "52", "The water at buoy 7 is 53 fathoms deep.") == "53"
    assert other_value(question, "1,053", "The water at buoy 7 is 1053 fathoms deep.") == ""


def test_names_can_differ_too() -> None:
    question = "Who is the mayor of Port Alder?"
    assert (
        other_value(question, "Ines Varga", "The mayor of Port Alder is Paul Lund.") == "Paul Lund"
    )
    assert other_value(question, "Ines Varga", "The mayor of Port Alder is I. Varga.") == "I. Varga"
    assert other_value(question, "Ines Varga", "The mayor of Elm Island is Paul Lund.") == ""
    assert other_value(question, "Varga", "The mayor of Port Alder is Ines Varga.") == ""


@given(st.text(), st.text(), st.text())
@settings(deadline=None)
def test_another_value_stands_in_the_text(question: str, short: str, text: str) -> None:
    assert other_value(question, short, text) in text


@given(st.integers(1000, 2099), st.integers(1000, 2099))
@settings(deadline=None)
def test_years_are_found_exactly_where_they_differ(year: int, other: int) -> None:
    text = FIRST.replace("1902", str(other))
    assert other_value(QUESTION, str(year), text) == ("" if year == other else str(other))
