"""Asking back before planning, where a question can be meant in several ways."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from ..cancellation import Cancellation, unless_cancelled
from ..errors import Cancelled, OutputInvalid
from ..runtime.engine import Engine, GenerationRequest, Message
from ..runtime.structured import generate_object
from .events import ClarificationAnswered, ClarificationAsked, Warned
from .steering import Clarification
from .toolbox import Toolbox

MAX_ANSWER = 500
"""Characters that are kept of what the person says."""
_TOKENS = 160
_MAX_CHOICES = 4

_AMBIGUOUS = """\
You decide whether a question must be asked back before it is researched. Almost every question \
is clear: then set "clear" to true and leave the rest empty. Only where it can be meant in ways \
that need quite different research, set "clear" to false, ask one short question back, and give \
two to four short choices. Answer in JSON.

Question: How tall is the Eiffel Tower?
{"clear": true, "question": "", "choices": []}

Question: What is the best Python?
{"clear": false, "question": "Do you mean the programming language or the snake?", \
"choices": ["the programming language: which version", "the snake: which species as a pet"]}

Question: How do heat pumps and gas boilers compare in running costs?
{"clear": true, "question": "", "choices": []}

Question: How old is Georgia?
{"clear": false, "question": "Which Georgia is meant?", \
"choices": ["the country in the Caucasus", "the state in the United States"]}"""


class _Draft(BaseModel):
    model_config = ConfigDict(extra="ignore")

    clear: bool
    question: str = Field(default="", max_length=200)
    choices: list[str] = Field(default_factory=list, max_length=_MAX_CHOICES)


async def clarification_of(
    question: str, engine: Engine, *, cancel: Cancellation
) -> Clarification | None:
    """What to ask back about ``question``; None where it is clear.

    Choices that repeat each other or the question are dropped; fewer than two are no choice.

    Raises:
        OutputInvalid: the model's judgement cannot be read.
        Cancelled: ``cancel`` was set.
    """
    messages = (Message("system", _AMBIGUOUS), Message("user", f"Question: {question}"))
    request = GenerationRequest(messages=messages, max_tokens=_TOKENS)
    draft = await generate_object(engine, request, _Draft, cancel=cancel)
    if draft.clear:
        return None
    choices = {_bare(choice): " ".join(choice.split()) for choice in reversed(draft.choices)}
    choices.pop(_bare(question), None)
    choices.pop("", None)
    if len(choices) < 2:
        return None
    asked = " ".join(draft.question.split()) or "Which of these is meant?"
    return Clarification(asked, tuple(reversed(choices.values())))


async def ask_back(question: str, box: Toolbox) -> str:
    """What the person says that ``question`` means; empty where nothing was asked or answered.

    The time that the person takes is not counted.
    """
    if box.clarify is None:
        return ""
    try:
        clarification = await clarification_of(question, box.engine, cancel=box.deadline)
        if clarification is None:
            return ""
        asked, choices = clarification.question, clarification.choices
        box.emit(ClarificationAsked(question=asked, choices=choices))
        with box.budget.clock_stopped():
            answer = await unless_cancelled(box.clarify(clarification), box.deadline)
    except OutputInvalid as error:
        box.emit(Warned(message=f"{error}; nothing is asked back"))
        return ""
    except Cancelled:
        box.cancel.check()
        return ""
    said = " ".join((answer or "").split())[:MAX_ANSWER]
    box.emit(ClarificationAnswered(answer=said or None))
    return said


def _bare(text: str) -> str:
    return " ".join(text.split()).strip(" .?!。？！").casefold()
