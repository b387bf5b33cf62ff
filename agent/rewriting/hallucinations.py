"""Which words of a rewritten query have no ground in anything that was read or asked.

LargePiG (arXiv 2410.11366) tells two kinds apart: relevance hallucination, a query that has left
the question, and factuality hallucination, a query that states what nobody said. Searching for a
guessed year or name finds pages that seem to confirm it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..grounding import fold, terms

_LEAST_WEIGHT = 0.25
_NAME_WEIGHT = 0.5
"""What a query with a name from nowhere counts beside one without."""
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z][\w'’-]*[a-z][\w'’-]*")
_TITLE_CASE = 0.6
"""Share of capitalised words from which capitals mark no names."""


@dataclass(frozen=True, slots=True)
class Grounding:
    """How far a query is grounded in its sources."""

    foreign: tuple[str, ...]
    """Words that no source has."""
    invented: tuple[str, ...]
    """Of these, numbers and names: facts that were never read."""
    relevant: bool
    """Whether it shares a word with the question or with what was found."""
    weight: float
    """What its results count beside the question's own, in [0, 1]; 0 where it is dropped."""


def ground(query: str, sources: Sequence[str]) -> Grounding:
    """Judge ``query`` against ``sources``: the question, parents' answers, evidence.

    One with a number from nowhere is dropped. Other foreign words may be the synonyms that were
    wanted: they weigh it down by their share, and the most where it has no word in common.
    """
    text = " ".join(sources)
    known, words = terms(text), terms(query)
    foreign = words - known
    numbers = [n for n in _NUMBER.findall(query) if n not in _NUMBER.findall(text)]
    names = [name for name in _names(query) if not terms(name) <= known]
    invented = tuple(dict.fromkeys([*numbers, *names]))
    relevant = bool(words & known)
    if not words or numbers:
        return Grounding(_as_written(query, foreign), invented, relevant, 0.0)
    share = sum(map(len, foreign)) / sum(map(len, words))
    weight = max(_LEAST_WEIGHT, 1.0 - share) * (_NAME_WEIGHT if names else 1.0)
    return Grounding(_as_written(query, foreign), invented, relevant, weight)


def _names(query: str) -> list[str]:
    """Capitalised words inside the query; none where almost all are, as in a title."""
    words = re.findall(r"[^\W\d_][\w'’-]*", query)
    capitalised = [word for word in words if word[:1].isupper()]
    if len(words) > 2 and len(capitalised) / len(words) >= _TITLE_CASE:
        return []
    return _NAME.findall(query)


def _as_written(query: str, foreign: set[str]) -> tuple[str, ...]:
    words = re.findall(r"[\w.'’-]+", fold(query))
    return tuple(dict.fromkeys(word for word in words if terms(word) & foreign))
