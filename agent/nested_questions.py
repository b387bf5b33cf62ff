"""Questions that name a thing by what is told of it: "… the country where the Bubye is found?".

Small models look such a question up in one go, which finds pages on its words and not on the thing.
English marks the description: a noun with a relative clause that runs to the question's end. So code
can take it apart, innermost first, and the thing is found out before it is asked about.
"""

from __future__ import annotations

import re

from .research_graph import Proposal

_RELATIVE = r"(?:in|on|at|by|for|from|to|with|of) (?:which|whom)|where|which|that|who|whose|whom"
_DESCRIBED = re.compile(
    rf"\bthe (?P<noun>[\w'’-]+(?: [\w'’-]+){{0,2}}?) (?P<relative>{_RELATIVE}) (?P<clause>.+)$",
    re.IGNORECASE,
)
_START = re.compile(r"\bthe ", re.IGNORECASE)
_NO_NOUN = frozenset(
    [
        "of",
        "in",
        "on",
        "at",
        "by",
        "for",
        "from",
        "to",
        "with",
        "and",
        "or",
        "is",
        "was",
        "are",
        "were",
        "be",
        "been",
        "as",
        "than",
        "fact",
        "way",
        "reason",
        "idea",
        "extent",
        "same",
        "only",
    ]
)
_SAYS_NOTHING = re.compile(
    r"\b(?:what|which|who|whom|where|when|how|is|are|was|were|do|does|did|can|will|name|names|called"
    r"|the|a|an|of|in|on|at|by|for|to)\b|#\d|[?\s]",
    re.IGNORECASE,
)
_ASKS = re.compile(
    r"\b(?:what|which|who|whom|whose|where|when|how|why|is|are|was|were)\b", re.IGNORECASE
)
_BROKEN_OFF = re.compile(r"\b(?:is|are|was|were|be|do|does|did|has|have|had) #\d$", re.IGNORECASE)
_PLURAL = re.compile(r"(?<!s)s$", re.IGNORECASE)
_MOST_PARTS = 4


def unnested(question: str) -> list[Proposal]:
    """The parts of a nested question in the order in which they can be answered.

    Each names its need as ``#1``. Empty for a question that describes nothing, or that asks for
    nothing but the thing described.
    """
    rest = " ".join(question.split()).rstrip("?. ")
    parts: list[Proposal] = []
    while len(parts) < _MOST_PARTS - 1 and (found := _innermost(rest)):
        described = rest[found.start() :]
        remaining = f"{rest[: found.start()]}#{len(parts) + 1}"
        if not _stands_alone(remaining):
            break
        asks = "Who" if found["relative"].lower().startswith("who") else "What"
        parts.append(_part(f"{asks} is {described}?"))
        rest = remaining
    return [*parts, _part(f"{rest}?")] if parts else []


def _innermost(text: str) -> re.Match[str] | None:
    """The last noun in ``text`` that a relative clause describes."""
    for start in reversed([match.start() for match in _START.finditer(text)]):
        found = _DESCRIBED.match(text, start)
        if found and _is_one_thing(found["noun"]):
            return found
    return None


def _is_one_thing(noun: str) -> bool:
    """Whether a noun phrase means one thing: of several there is no one answer to go on with."""
    return _NO_NOUN.isdisjoint(noun.lower().split()) and not _PLURAL.search(noun)


def _stands_alone(remaining: str) -> bool:
    """Whether what is left is a question that says something, whose end was not cut off."""
    asks = _ASKS.search(remaining) and not _BROKEN_OFF.search(remaining)
    return bool(asks and _SAYS_NOTHING.sub("", remaining))


def _part(text: str) -> Proposal:
    needs = [int(number) for number in re.findall(r"#(\d)", text)]
    return Proposal(question=text, needs=needs)
