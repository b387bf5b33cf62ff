"""What parents answered, put into the words of the questions that wait for it."""

from __future__ import annotations

import re

from ..tools.quarantine import neutralise
from .research_graph import ResearchGraph, SubQuestion, content_words

_MAX_SHORT = 80
"""Characters of an answer that can stand for a name inside a question."""
_NAME = re.compile(
    r"(?:[^\W\d_a-zà-ÿ][\w'’.-]*\w|\d[\d.,:/-]*)"
    r"(?: (?:(?:of|the|and|de|la|le|du|van|von|der|al|bin) )*(?:[^\W\d_a-zà-ÿ][\w'’.-]*\w|\d+))*"
)
_THAT_THING = re.compile(r"\b(?:that|this|the same) [a-z]+\b", re.IGNORECASE)
_PRONOUN = re.compile(r"\b(?:he|she|it|they|him|them)\b", re.IGNORECASE)
_POSSESSIVE = re.compile(r"\b(?:his|her|its|their)\b(?= \w)", re.IGNORECASE)


def with_answers(node: SubQuestion, graph: ResearchGraph) -> str:
    """The text of ``node`` with what its parents answered in place of what stood for it.

    A parent without an answer that can stand for a name leaves the text as it is.
    """
    text, parents = node.text, graph.parents_of(node)
    for parent in parents:
        short = short_answer(parent)
        if not short:
            continue
        described = graph.described(parent.id)
        if described in text:
            text = text.replace(described, short)
        elif len(parents) == 1 and short.casefold() not in text.casefold():
            text = _without_pronoun(text, short)
    return text


def short_answer(node: SubQuestion) -> str:
    """The name, number or date in the answer of ``node``; empty where there is none."""
    if node.answer is None or not node.answer.claims:
        return ""
    if short := node.answer.short:
        return _clean(short)
    asked = content_words(node.text)
    names = [
        name
        for name in _NAME.findall(node.answer.claims[0].text)
        if not content_words(name) <= asked and not _is_opening(name, node)
    ]
    wants_number = re.match(
        r"(?:when|how many|how much|in (?:which|what) year)", node.text, re.IGNORECASE
    )
    fitting = [name for name in names if name[0].isdigit() == bool(wants_number)]
    return _clean((fitting or names or [""])[0])


def _without_pronoun(text: str, short: str) -> str:
    """One "that person", "she" or "their" replaced, whichever comes first in this order."""
    for pattern, words in (
        (_THAT_THING, short),
        (_POSSESSIVE, f"{short}'s"),
        (_PRONOUN, short),
    ):
        if found := pattern.search(text):
            return f"{text[: found.start()]}{words}{text[found.end() :]}"
    return text


def _is_opening(name: str, node: SubQuestion) -> bool:
    """Whether a capital letter is only that of the sentence."""
    assert node.answer is not None
    text = node.answer.claims[0].text
    lone = " " not in name and not name[0].isdigit()
    return lone and text.startswith(name) and _common(name)


def _common(word: str) -> bool:
    return word.casefold() in {"the", "a", "an", "it", "he", "she", "they", "in", "this", "there"}


def _clean(short: str) -> str:
    short = " ".join(neutralise(short).split()).strip(" .,;:")
    return short if len(short) <= _MAX_SHORT else ""
