from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.agent.answer_types import ANSWER_TYPES, answer_type, is_time_bound
from leadline.agent.short_answers import copied, normalised, said_in, same_answer, vote


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who is the mayor of Port Alder?", "person"),
        ("In which year was the harbour opened?", "date"),
        ("How many berths does the harbour have?", "number"),
        ("In what country was Ines Varga born?", "place"),
        ("Is the harbour deep?", "yes-no"),
        ("The harbour is deep. Is the lock too?", "yes-no"),
        ("How soon does the ferry leave?", "number"),
        ("What company owns the ferry?", "name"),
        ("How does the lock work?", "text"),
        ("Port Alder harbour 是哪一年启用的？", "date"),
    ],
)
def test_what_a_question_asks_for(question: str, kind: str) -> None:
    assert answer_type(question) == kind


@given(st.text())
def test_every_question_asks_for_something(question: str) -> None:
    assert answer_type(question) in ANSWER_TYPES


def test_questions_about_the_present() -> None:
    assert is_time_bound("What is the latest version of SQLite?")
    assert is_time_bound("Who won the most medals this year?")
    assert not is_time_bound("Who won the 1998 World Cup?")


def test_a_short_answer_is_copied_as_its_source_has_it() -> None:
    sources = ["The mayor of Port Alder is Ines  Varga.", "It was opened in 1902."]
    assert copied('"ines varga."', sources) == "Ines Varga"
    assert copied("1902", sources) == "1902"
    assert copied("190", sources) == ""
    assert copied("Paul Smith", sources) == ""
    assert copied("Not found", sources) == ""
    assert copied("YES", sources) == "yes"
    assert copied("(Mercury (planet)).", ["the name of Mercury (planet)"]) == "Mercury (planet)"


@given(st.text(), st.lists(st.text(), max_size=3))
def test_whatever_is_copied_has_words_of_a_source(short: str, sources: list[str]) -> None:
    taken = copied(short, sources)
    if taken not in ("", "yes", "no"):
        found = " ".join(" ".join(sources).split()).casefold()
        assert set(taken.casefold()) <= set(found) | set(short.casefold())
        assert len(taken) <= 200


@given(st.text(alphabet="abc de1", min_size=1), st.text(alphabet="abc de1"))
def test_words_of_a_source_are_always_found_there(words: str, around: str) -> None:
    taken = " ".join(words.split())
    if normalised(taken) and taken not in ("n/a", "na"):
        assert copied(taken, [f"{around} {words} {around}"]) == taken


@pytest.mark.parametrize(
    ("statement", "question", "short"),
    [
        ("The harbour was opened in 1902.", "When was it opened?", "1902"),
        ("Since 2019 the mayor is Ines Varga.", "Who is the mayor?", "Ines Varga"),
        ("The ferry leaves at 07:30.", "When does it leave?", "07:30"),
        ("Between 1902 and 1904.", "When was it opened?", ""),
        ("It has 14 berths.", "How many berths has it?", "14"),
        ("It is deep.", "Why is it deep?", ""),
    ],
)
def test_what_statements_say_in_short(statement: str, question: str, short: str) -> None:
    assert said_in([statement], question) == short


def test_the_commonest_answer_wins_and_tells_its_share() -> None:
    ballot = vote(["Ines Varga", "Paul", "the Ines Varga", "", "Varga"])
    assert ballot is not None
    assert ballot.answer == "Ines Varga"
    assert ballot.agreement == pytest.approx(3 / 5)
    assert vote(["", "?"]) is None


@given(st.lists(st.text(alphabet="ab ,")))
def test_a_vote_is_for_one_of_the_answers(answers: list[str]) -> None:
    ballot = vote(answers)
    if ballot is None:
        assert not any(map(normalised, answers))
    else:
        assert ballot.answer in answers
        assert 0 < ballot.agreement <= 1


@given(st.text(), st.text())
def test_saying_the_same_goes_both_ways(first: str, second: str) -> None:
    assert same_answer(first, second) == same_answer(second, first)
