"""What a comparison comes to, told by code where the answers about both things can be held together.

Small models that are handed "1997" and "2006" often name the wrong band as the older one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .answer_types import answer_type
from .parent_answers import short_answer
from .question_signs import things_compared
from .research_graph import ResearchGraph, SubQuestion
from .short_answers import normalised, same_answer
from .tables.values import iso_date, number_in

_LOWEST_DATE = r"first|earl(?:y|ier|iest)|old(?:er|est)"
_HIGHEST_DATE = r"last|lat(?:er|est)|young(?:er|est)|new(?:er|est)|(?:more|most) recent(?:ly)?"
_HIGHEST = (
    r"tall(?:er|est)|high(?:er|est)|long(?:er|est)|old(?:er|est)|larg(?:er|est)|bigg(?:er|est)"
    r"|heav(?:ier|iest)|fast(?:er|est)|deep(?:er|est)|great(?:er|est)|wid(?:er|est)|more|most"
)
_LOWEST = (
    r"small(?:er|est)|short(?:er|est)|low(?:er|est)|young(?:er|est)|few(?:er|est)|less|least"
    r"|light(?:er|est)|slow(?:er|est)|narrow(?:er|est)"
)
_SAME = re.compile(r"\b(?:the same|a common|share)\b", re.IGNORECASE)
_BOTH = re.compile(r"\bboth\b", re.IGNORECASE)
_UNIT = re.compile(r"[\d.,\s-]*(?:million|billion|trillion)?\s*([^\W\d]*)", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)\d{4}(?!\d)")


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer to a comparison, and the two sub-questions whose answers give it."""

    answer: str
    statement: str
    nodes: tuple[SubQuestion, SubQuestion]


def compared(graph: ResearchGraph) -> Comparison | None:
    """What the answers to two sub-questions come to; None where code cannot tell.

    A ranking ("which is older, A or B?") needs two dates, or two numbers in one unit; "are both
    …?" needs yes or no for each, "… the same …?" two short answers.
    """
    if len(graph.nodes) != 2 or any(n.state != "answered" or n.parents for n in graph.nodes):
        return None
    first, second = graph.nodes
    if answer_type(graph.question) == "yes-no":
        return _shared(graph.question, first, second)
    things = things_compared(graph.question)
    if things is None:
        return None
    if _is_about(second, things[0], things[1]):
        first, second = second, first
    if not (_is_about(first, *things) and _is_about(second, *reversed(things))):
        return None
    values = short_answer(first), short_answer(second)
    order = _order(graph.question, *values)
    if not order:
        return None
    winner, loser = (0, 1) if order > 0 else (1, 0)
    statement = f"It is {things[winner]}: {values[winner]}, against {values[loser]} for "
    return Comparison(things[winner], f"{statement}{things[loser]}.", (first, second))


def _shared(question: str, first: SubQuestion, second: SubQuestion) -> Comparison | None:
    """Whether two things have the same of something, or both are something."""
    values = short_answer(first), short_answer(second)
    if not all(values):
        return None
    told = [value for value in map(normalised, values) if value in ("yes", "no")]
    if len(told) == 2 and _BOTH.search(question) and not _SAME.search(question):
        answer = "yes" if told == ["yes", "yes"] else "no"
    elif not told and _SAME.search(question):
        answer = "yes" if same_answer(*values) else "no"
    else:
        return None
    statement = f"{answer.capitalize()}. {first.text} {values[0]}. {second.text} {values[1]}."
    return Comparison(answer, statement, (first, second))


def _is_about(node: SubQuestion, thing: str, other: str) -> bool:
    text = normalised(node.text)
    return normalised(thing) in text and normalised(other) not in text


def _order(question: str, first: str, second: str) -> int:
    """1 if the question asks for the first, -1 if for the second; 0 where that cannot be told."""
    if _YEAR.search(first) and _YEAR.search(second):
        a, b = iso_date(first), iso_date(second)
        if a[:4] == b[:4] and not (_is_day(first) and _is_day(second)):
            return 0
        return _direction(question, _LOWEST_DATE, _HIGHEST_DATE) * ((a < b) - (a > b))
    low, high = number_in(first), number_in(second)
    if low is None or high is None or _unit(first) != _unit(second):
        return 0
    return _direction(question, _LOWEST, _HIGHEST) * ((low < high) - (low > high))


def _direction(question: str, lowest: str, highest: str) -> int:
    """1 where the question asks for the lower of two, -1 for the higher; 0 for neither or both."""
    wants = [
        bool(re.search(rf"\b(?:{words})\b", question, re.IGNORECASE)) for words in (lowest, highest)
    ]
    return wants[0] - wants[1]


def _is_day(date: str) -> bool:
    """Whether a date tells more than its year."""
    return bool(_YEAR.sub("", date).strip(" .,"))


def _unit(value: str) -> str:
    found = _UNIT.match(value)
    return found[1].casefold() if found else ""
