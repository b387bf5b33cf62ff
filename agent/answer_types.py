"""What sort of answer a question asks for, told by its words; the key under which is learnt."""

from __future__ import annotations

import re
from typing import Literal, get_args

AnswerType = Literal["person", "date", "number", "place", "yes-no", "name", "text"]
ANSWER_TYPES: tuple[AnswerType, ...] = get_args(AnswerType)

_AUXILIARIES = "is|are|was|were|do|does|did|has|have|had|can|could|will|would|should"
_ASKS_LAST = re.compile(rf"[.!?] ({_AUXILIARIES.title()})\b")
"""A question after a statement: "… has an OBE. Does …?"."""
_PATTERNS: tuple[tuple[AnswerType, str], ...] = (
    ("text", r"^(?:why|how (?:do|does|did|is|are|was|were|can|could|to|should|would)|explain)\b"),
    ("yes-no", rf"^(?:{_AUXILIARIES})\b"),
    (
        "date",
        r"\bwhen\b|\b(?:what|which|whose) (?:year|date|day|month|decade|century)\b|哪一?年|何时",
    ),
    (
        "number",
        r"\bhow (?:many|much|old|tall|long|far|large|big|high|deep|heavy|fast|soon|often)\b|多少|几个",
    ),
    ("person", r"\bwho(?:m|se)?\b|谁"),
    (
        "place",
        r"\bwhere\b|\b(?:what|which) (?:\w+ )?(?:city|country|state|county|town|place|region)\b|哪里",
    ),
    ("name", r"\b(?:what|which)\b|什么|哪"),
)
_TIME_BOUND = re.compile(
    r"\b(?:today|tonight|yesterday|now(?:adays)?|currently|current|latest|newest|recent(?:ly)?"
    r"|upcoming|so far|at present|these days|this (?:week|month|year|season|quarter)"
    r"|(?:last|past|next) (?:week|month|year|season|quarter|\w+ (?:days|weeks|months|years)))\b"
    r"|今天|昨天|现在|目前|当前|最新|最近|今年|去年|明年|本月|上个月",
    re.IGNORECASE,
)


def answer_type(question: str) -> AnswerType:
    """The sort of answer that ``question`` asks for; ``text`` where a few words cannot be one."""
    if _ASKS_LAST.search(question):
        return "yes-no"
    asked = " ".join(question.casefold().split())
    for kind, pattern in _PATTERNS:
        if re.search(pattern, asked):
            return kind
    return "text"


def is_time_bound(question: str) -> bool:
    """Whether the answer depends on the day on which it is asked for."""
    return bool(_TIME_BOUND.search(question))
