from __future__ import annotations

from collections.abc import Callable

import pytest

from leadline.agent.bare_answer import bare_answer
from leadline.agent.report import Claim
from leadline.agent.researcher import Researcher
from leadline.agent.short_answers import is_bare
from leadline.agent.toolbox import Effort
from leadline.cancellation import Cancellation
from leadline.runtime.scripted_engine import ScriptedEngine

from .conftest import SUPPORTED, answer


@pytest.mark.parametrize(
    ("question", "said", "short"),
    [
        ("Who is the mayor?", '"ines varga".', "Ines Varga"),
        ("Who is the mayor?", "not found", ""),
        ("Who is the mayor?", "Somebody Else", ""),
        ("Who is the mayor?", "The mayor of Port Alder is Ines Varga", ""),
        ("Is Ines Varga the mayor?", "Yes, she is.", "yes"),
        ("Port Alder has a mayor. Is she Ines Varga?", "no", "no"),
        ("Who is the mayor?", "yes", ""),
        ("Who is the mayor, Ines Varga or Jan Holm?", "1", "Ines Varga"),
        ("Who is the mayor, Ines Varga or Jan Holm?", "2", "Jan Holm"),
        ("Who is the mayor, Ines Varga or Jan Holm?", "Ada", ""),
    ],
)
async def test_a_name_is_copied_and_a_statement_is_none(
    question: str, said: str, short: str
) -> None:
    claims = [Claim(text="The mayor of Port Alder is Ines Varga.", citations=())]
    engine = ScriptedEngine([said])
    assert await bare_answer(question, claims, engine, cancel=Cancellation()) == short
    assert is_bare(short) == bool(short)


async def test_nothing_is_asked_where_no_name_or_value_can_be_the_answer() -> None:
    claims = [Claim(text="The harbour silts up.", citations=())]
    engine = ScriptedEngine([])
    assert not await bare_answer("Why is it dredged?", claims, engine, cancel=Cancellation())
    assert not await bare_answer("Who dredges it?", [], engine, cancel=Cancellation())


async def test_a_report_without_a_short_answer_is_asked_for_one(
    researcher_with: Callable[..., Researcher],
) -> None:
    engine = ScriptedEngine(
        [answer(("Port Alder's mayor is Ines Varga.", [1])), "Ines Varga", SUPPORTED]
    )
    report = await researcher_with(engine, effort=Effort()).run(
        "What is the mayor of Port Alder called?"
    )
    assert report.answer == "Ines Varga"
