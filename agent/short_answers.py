"""Short answers: copied from where they stand, compared, and voted on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .answer_types import answer_type
from .grounding import coverage, fold

SHORT_CHARACTERS = 120
"""Of a short answer at most; a longer one is no such thing."""
_LEAST_COVERAGE = 0.6
"""Share of a short answer's words that a source must have, where it does not stand there as it is."""
_MOST_WORDS = 6
"""Of a name or a value; a small model that is asked for one often gives the whole statement."""
_EDGES = " \t\n.,;:!?\"'`“”‘’()[]。，；：！？"
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_PUNCTUATION = re.compile(r"[^\w\s]")
_YES_NO = {"yes": "yes", "no": "no", "true": "yes", "false": "no"}
_NOTHING = frozenset(
    ["", "none", "unknown", "not found", "not stated", "not mentioned", "n/a", "na", "null"]
)
_MONTH = "January|February|March|April|May|June|July|August|September|October|November|December"
_NAME = re.compile(r"\b[A-Z][\w'’-]*(?:\.? (?:(?:of|de|von|van|al|the) )?[A-Z][\w'’-]*)*")
_OPENER = re.compile(
    "^(?:After|And?|As?|At|Before|But|By|For|From|He|Her|His|If|In|Its?|No|Of|On|She|Since|So|That"
    "|Their|There|They|The|This|Those|To|Under|Was|When|Where|While|Who|With|Yes)(?: |$)"
)
"""Words that are capitalised only because they open a sentence."""
_VALUES = {
    "date": re.compile(
        rf"(?:\d{{1,2}} )?(?:(?:{_MONTH}) )?(?:\d{{1,2}}, )?(?<!\d)\d{{4}}(?!\d)|\b\d{{1,2}}:\d{{2}}\b"
    ),
    "number": re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)*(?:%| (?:million|billion|percent))?"),
    "person": _NAME,
    "place": _NAME,
    "name": _NAME,
}


@dataclass(frozen=True, slots=True)
class Vote:
    """What most of several answers say, and the share of them that say so."""

    answer: str
    agreement: float


def copied(short: str, sources: Sequence[str]) -> str:
    """``short`` as a source has it; empty if none has it.

    Small models change case and accents when they copy; the source's own letters are given.
    Yes and no need no source. A few words that stand apart in the sources keep the model's order.
    """
    wanted = _trimmed(short)
    if fold(wanted) in _NOTHING or len(wanted) > SHORT_CHARACTERS:
        return ""
    if (plain := _YES_NO.get(fold(wanted))) is not None:
        return plain
    pattern = re.compile(_pattern(wanted), re.IGNORECASE)
    for source in sources:
        if found := pattern.search(source):
            return " ".join(found[0].split())
    covered = is_bare(wanted) and coverage(wanted, " ".join(sources)) >= _LEAST_COVERAGE
    return wanted if covered else ""


def is_bare(short: str) -> bool:
    """Whether ``short`` is a name or a value, and no statement."""
    return 0 < len(normalised(short).split()) <= _MOST_WORDS


def said_in(statements: Sequence[str], question: str, known: str = "") -> str:
    """The short answer that ``statements`` give to ``question``, where its sort can be told by code.

    The one date, number or name of a statement that neither the question nor ``known`` has; empty
    where there is none, or more than one.
    """
    pattern = _VALUES.get(answer_type(question))
    if pattern is None:
        return ""
    asked = f" {normalised(f'{question} {known}')} "
    for statement in statements:
        values = [_OPENER.sub("", match[0].strip(_EDGES)) for match in pattern.finditer(statement)]
        fresh = {v: None for v in filter(None, values) if f" {normalised(v)} " not in asked}
        if len(fresh) == 1:
            return next(iter(fresh))
    return ""


def normalised(short: str) -> str:
    """``short`` for comparing: folded, without articles and punctuation (as SQuAD's metric does)."""
    plain = _PUNCTUATION.sub(" ", _THOUSANDS.sub("", fold(short)))
    return " ".join(_ARTICLE.sub(" ", plain).split())


def same_answer(first: str, second: str) -> bool:
    """Whether two short answers say the same: alike, or the words of one inside the other."""
    a, b = normalised(first), normalised(second)
    if not a or not b:
        return False
    return a == b or f" {a} " in f" {b} " or f" {b} " in f" {a} "


def vote(answers: Sequence[str]) -> Vote | None:
    """What most of ``answers`` say (self-consistency: Wang et al., ICLR 2023).

    Empty answers vote against all others. Of the wordings of the winning answer the commonest is
    taken, the earliest of those that tie. None if all are empty.
    """
    groups: list[list[str]] = []
    for answer in filter(normalised, answers):
        near = [group for group in groups if same_answer(group[0], answer)]
        if near:
            near[0].append(answer)
        else:
            groups.append([answer])
    if not groups:
        return None
    winners = max(groups, key=len)
    forms = [normalised(answer) for answer in winners]
    commonest = max(range(len(forms)), key=lambda place: (forms.count(forms[place]), -place))
    return Vote(winners[commonest], len(winners) / len(answers))


def _trimmed(short: str) -> str:
    """``short`` without what stands around it, save the bracket that closes one inside it."""
    words = " ".join(short.split())
    wanted = words.strip(_EDGES)
    after = words[words.index(wanted) + len(wanted) :][:1]
    opening = {")": "(", "]": "["}.get(after)
    return wanted + after if opening and wanted.count(opening) > wanted.count(after) else wanted


def _pattern(words: str) -> str:
    """Matches ``words`` with any white space between them, not inside a longer word."""
    inner = r"\s+".join(map(re.escape, words.split()))
    before = r"(?<!\w)" if re.match(r"[A-Za-z0-9]", words) else ""
    after = r"(?!\w)" if re.search(r"[A-Za-z0-9]$", words) else ""
    return f"{before}{inner}{after}"
