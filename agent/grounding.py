"""Which passages a statement really rests on, told by its words.

Small models write a statement from one passage and name another. The words of the statement tell:
attribution after the fact corrects what the model named.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

_WORD = re.compile(r"[^\W_]+(?:[_.'’-][^\W_]+)*")
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_LEAST_WORDS = 3
"""Words from which standing in a text one after the other says something."""
_FILLING_WORDS = (
    "a an the is are was were be do does did has have had of in on at to for from by with and or not "
    "what which who whom whose when where how why it its he she they his her their this that there"
)
FILLERS = frozenset(_FILLING_WORDS.split())
"""English words that do not say what a text is about."""
_PLAIN_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_IDENTIFIER = re.compile(r"\b(?:\w+_\w+|[A-Z]{3,}|\w*[a-z]\w*[A-Z]\w*)\b")
_LEAST_COVERAGE = 0.3
"""Share of a statement's words below which a passage is not believed to be its source."""
_SLACK = 0.1
"""How much less than the best passage another one may cover and still count as a source."""
_MOST = 3


def sources_of(statement: str, passages: Sequence[str], named: Sequence[int]) -> list[int]:
    """Indices of the passages that ``statement`` rests on, best first, three at most.

    ``named`` are those that the model named. A named passage stays if it covers the statement's
    words about as well as the best one does; if none does, the best one takes their place. A
    statement in other words or another language than all passages keeps what was named.
    """
    coverages = [coverage(statement, passage) for passage in passages]
    best = max(coverages, default=0.0)
    if best < _LEAST_COVERAGE:
        return list(named[:_MOST])
    close = [index for index, value in enumerate(coverages) if value >= best - _SLACK]
    close.sort(key=lambda index: (index not in named, -coverages[index]))
    kept = [index for index in close if index in named]
    return (kept or [max(close, key=lambda index: coverages[index])])[:_MOST]


def coverage(statement: str, passage: str) -> float:
    """The share of the words of ``statement``, by length, that ``passage`` has; 0 to 1."""
    words = terms(statement)
    total = sum(map(len, words))
    if not total:
        return 0.0
    return sum(map(len, words & terms(passage))) / total


def stands_in(text: str, quote: str) -> bool:
    """Whether the words of ``text``, three at least, follow each other in ``quote`` just so."""
    words, quoted = (_PLAIN_WORD.findall(fold(each)) for each in (text, quote))
    if len(words) < _LEAST_WORDS:
        return False
    return f" {' '.join(words)} " in f" {' '.join(quoted)} "


def unfounded_terms(text: str, sources: Sequence[str]) -> list[str]:
    """Numbers and identifiers of ``text`` that none of ``sources`` has, in order, once each."""
    known = fold(" ".join(sources))
    digits = known.replace(",", "")
    missing = []
    for pattern in (_NUMBER, _IDENTIFIER):
        for term in pattern.findall(text):
            folded = fold(term)
            if folded not in known and folded.replace(",", "") not in digits:
                missing.append(term)
    return list(dict.fromkeys(missing))


def terms(text: str) -> set[str]:
    """Folded words without their most common English endings; pairs of CJK characters."""
    folded = fold(text)
    found = {_stem(word) for word in _WORD.findall(_CJK.sub(" ", folded))}
    for run in _CJK.findall(folded):
        found.update(run[at : at + 2] for at in range(max(1, len(run) - 1)))
    return found


def has_words_of(text: str, other: str) -> bool:
    """Whether two texts share a word that says what they are about.

    An instruction that was smuggled into a note has nothing of the question.
    """
    return bool((terms(text) & terms(other)) - FILLERS)


def fold(text: str) -> str:
    """``text`` without differences of case, width and ligature."""
    return unicodedata.normalize("NFKC", text).casefold()


def _stem(word: str) -> str:
    for ending in ("ies", "ing", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
