"""What a question's own words show."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.question_signs import (
    alternatives,
    answered_without_search,
    columns_wanted,
    has_parts,
    things_compared,
)


@pytest.mark.parametrize(
    "question",
    [
        "In which country was the inventor of the ballpoint pen born?",
        "Who is the spouse of the architect who designed the Sydney Opera House?",
        "Which is longer, the Danube or the Rhine?",
        "Quelle est la population de la capitale de l'Australie ?",
        "东京塔和埃菲尔铁塔哪个更高？",
        "Why did the Roman Republic fall?",
    ],
)
def test_signs_of_several_things_to_look_up(question: str) -> None:
    assert has_parts(question)


@pytest.mark.parametrize(
    "question",
    [
        "What is the boiling point of ethanol?",
        "Who is the mayor of Port Alder?",
        "Who was the inventor of the ballpoint pen?",
        "What is the number of moons of Saturn?",
        "When was the harbour opened?",
    ],
)
def test_one_thing_to_look_up(question: str) -> None:
    assert not has_parts(question)


@pytest.mark.parametrize(
    ("question", "things"),
    [
        ("Which is longer, the Danube or the Rhine?", ("the Danube", "the Rhine")),
        ("Is the Eiffel Tower taller than the Shard?", ("the Eiffel Tower", "the Shard")),
        ("How do SQLite and DuckDB differ in concurrency?", ("SQLite", "DuckDB")),
        ("Compare Rust and Go in memory safety", ("Rust", "Go")),
        (
            "Which band was formed first The Exies or Circus Diablo ?",
            ("The Exies", "Circus Diablo"),
        ),
        ("东京塔和埃菲尔铁塔哪个更高？", ("东京塔", "埃菲尔铁塔")),
        ("When was the harbour opened?", None),
    ],
)
def test_the_things_compared(question: str, things: tuple[str, str] | None) -> None:
    assert things_compared(question) == things


@pytest.mark.parametrize(
    ("question", "two"),
    [
        ("Which singer is American, Mark King or Nick Hexum?", ("Mark King", "Nick Hexum")),
        ("Who was born first Sid Haig or Vic Darchinyan?", ("Sid Haig", "Vic Darchinyan")),
        ("Is the Eiffel Tower taller than the Shard?", None),
        ("Does the ferry leave from Port Alder or Elm Island?", None),
        ("What do Rust and Go have in common?", None),
        ("Which is deeper, the Elm, the Oak, the Ash or the Fir?", None),
        ("Which of these was, by its own account, first, Elm or Oak?", None),
    ],
)
def test_the_things_of_which_one_is_asked_for(question: str, two: tuple[str, str] | None) -> None:
    assert alternatives(question) == two


@pytest.mark.parametrize(
    ("question", "columns"),
    [
        ("List all rivers of Peru with their length and mouth", ("Name", "length", "mouth")),
        ("List the parks of Slovenia and their area.", ("Name", "area")),
        ("Every SQLite pragma, with the columns: name, purpose", ("name", "purpose")),
        ("列出斯洛文尼亚的国家公园及其面积", ("名称", "面积")),
        ("List the bridges of Newcastle", ()),
        ("Which bridges cross the Tyne?", ()),
        ("List the pros and cons of heat pumps", ()),
        ("List people with their own views of what the harbour should become by 2030", ()),
    ],
)
def test_facts_on_each_of_several_things_are_columns(
    question: str, columns: tuple[str, ...]
) -> None:
    assert columns_wanted(question) == columns


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("What is 17 * 23?", "17 * 23 = 391"),
        ("2^10 =", "2^10 = 1024"),
        ("calculate 1/3 + 1", "1/3 + 1 = 1.333333333"),
        ("(1 + 2) × 3 = ?", "(1 + 2) × 3 = 9"),
        ("Hello, how are you?", "nothing that can be looked up"),
    ],
)
def test_what_needs_no_search_is_answered_or_refused_at_once(question: str, said: str) -> None:
    assert said in (answered_without_search(question) or "")


@pytest.mark.parametrize(
    "question",
    [
        "1914-1918",
        "What is 9/11?",
        "What is 42?",
        "24/7",
        "What is 1/0?",
        "What is 9^9^9^9?",
        "Hello Kitty: who made it?",
        "How are you supposed to prune apple trees?",
        "What is 5G + 6G?",
    ],
)
def test_what_may_be_looked_up_is(question: str) -> None:
    assert answered_without_search(question) is None


@given(st.one_of(st.text(max_size=80), st.text(alphabet="0123456789+-*/()^%. =", max_size=220)))
def test_any_text_is_looked_at_without_harm(question: str) -> None:
    has_parts(question)
    things_compared(question)
    columns_wanted(question)
    answered_without_search(question)
    answered_without_search(f"what is {question}")
