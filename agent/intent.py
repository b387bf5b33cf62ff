"""What a question is after: what would count as an answer, what would not, and for which time."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict

from .answer_types import is_time_bound

_YEARS = re.compile(r"\b(?:1[0-9]|20)\d\d\b")
_WANTED = (
    (r"^how (?:many|much)\b|多少|几个", "a number"),
    (r"^how (?:tall|high|long|old|far|large|big|deep|fast|heavy)\b|多[高长大远]", "a measure"),
    (r"^when\b|^in (?:which|what) (?:year|month|decade|century)\b|哪一年|什么时候|何时", "a date"),
    (r"^who(?:se|m)?\b|谁", "a person or a body"),
    (r"^where\b|哪里|在哪", "a place"),
    (
        r"^(?:list|name|which \w+s (?:are|were|have|do))\b|列出|有哪些",
        "all that belong to the list",
    ),
    (r"^why\b|为什么", "reasons"),
    (r"^how\b|如何|怎么", "a way or a mechanism"),
)


class Intent(BaseModel):
    """Held in the graph, so that whoever plans, grows or reads the plan can judge by it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    wanted: str = ""
    """What would count as an answer."""
    unwanted: str = ""
    """What would be near it and yet no answer."""
    time_frame: str = ""
    """Years that the question names, or "now"; empty for any time."""


def intent_of(question: str, *, wanted: str = "", unwanted: str = "") -> Intent:
    """The intent of ``question``: a model's words for it where there are any, else by its form."""
    by_form = next(
        (what for pattern, what in _WANTED if re.search(pattern, question.strip(), re.IGNORECASE)),
        "",
    )
    years = sorted(set(_YEARS.findall(question)))
    frame = " to ".join(dict.fromkeys((years[0], years[-1]))) if years else ""
    if not frame and is_time_bound(question):
        frame = "now"
    return Intent(
        wanted=" ".join(wanted.split()) or by_form,
        unwanted=" ".join(unwanted.split()),
        time_frame=frame,
    )
