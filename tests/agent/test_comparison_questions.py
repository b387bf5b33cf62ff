"""Comparisons taken apart by their words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.comparison_questions import comparison_questions


@pytest.mark.parametrize(
    ("question", "parts"),
    [
        (
            "Which is longer, the Danube or the Rhine?",
            ["How long is the Danube?", "How long is the Rhine?"],
        ),
        ("东京塔和埃菲尔铁塔哪个更高？", ["东京塔有多高？", "埃菲尔铁塔有多高？"]),
        (
            "Which band was formed first The Exies or Circus Diablo ?",
            ["When was The Exies formed?", "When was Circus Diablo formed?"],
        ),
        (
            "Who is the oldest, Sid Haig or Vic Darchinyan?",
            ["When was Sid Haig born?", "When was Vic Darchinyan born?"],
        ),
        (
            "Which lighthouse is older, Elm Point or Fir Head?",
            [
                "When was Elm Point founded, built or released?",
                "When was Fir Head founded, built or released?",
            ],
        ),
        (
            "Are Elm and Oak both film directors?",
            ["Is Elm a film director?", "Is Oak a film director?"],
        ),
        (
            "Were Elm and Oak both members of the Alder Guild?",
            ["Was Elm a member of the Alder Guild?", "Was Oak a member of the Alder Guild?"],
        ),
        ("Are Elm and Oak both American?", ["Is Elm American?", "Is Oak American?"]),
        (
            "Are both magazines, the Elm Review and Oak, Irish companies?",
            ["Is the Elm Review an Irish company?", "Is Oak an Irish company?"],
        ),
        (
            "Are Elm Airport and Oak Airport both airports in the same state ?",
            ["In which state is Elm Airport?", "In which state is Oak Airport?"],
        ),
        (
            "Are Elm and Oak from the same country?",
            ["From which country is Elm?", "From which country is Oak?"],
        ),
        (
            "Do Elm and Oak have the same nationality?",
            ["What is the nationality of Elm?", "What is the nationality of Oak?"],
        ),
        ("Which is nicer, the Danube or the Rhine?", []),
        ("When was the harbour of Port Alder opened?", []),
    ],
)
def test_each_thing_is_asked_about(question: str, parts: list[str]) -> None:
    assert comparison_questions(question) == parts


@given(st.text(max_size=120))
def test_any_text_gives_two_questions_or_none(text: str) -> None:
    assert len(comparison_questions(text)) in (0, 2)
