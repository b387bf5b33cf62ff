"""What kind of source would hold the answer to a question, in the model's own words.

It is matched against what search backends say that they find, beside the question itself, which
rarely says where it would be looked up. The model sees no backend's description.
"""

from __future__ import annotations

from ..cancellation import Cancellation
from ..runtime.engine import Engine, GenerationRequest, Message

_MOST_TOKENS = 24
_ASK = (
    "Say in a few words what kind of source would hold the answer to a question. "
    "Do not answer the question."
)
_EXAMPLES = (
    ("How tall is the Eiffel Tower?", "An encyclopedia article"),
    (
        "Which methods speed up sampling from language models?",
        "A research paper in machine learning",
    ),
    (
        "Who won yesterday's match between Leeds and Everton?",
        "A news site with recent football results",
    ),
    (
        "In which journal did the 1998 trial of tamoxifen appear?",
        "A bibliographic record of a journal article",
    ),
    ("How many days of leave do I have left to claim?", "The company's own handbook"),
)


async def source_need(question: str, engine: Engine, *, cancel: Cancellation) -> str:
    """A phrase such as "An encyclopedia article"; the same for the same question.

    Raises:
        PromptTooLong: the window does not hold the question.
        ModelError, EndpointError: see :meth:`leadline.runtime.engine.Engine.stream`.
        Cancelled: ``cancel`` was set.
    """
    messages = [Message("system", _ASK)]
    for asked, need in _EXAMPLES:
        messages += [Message("user", asked), Message("assistant", need)]
    messages.append(Message("user", question))
    request = GenerationRequest(tuple(messages), max_tokens=_MOST_TOKENS, stop=("\n",))
    return (await engine.generate(request, cancel=cancel)).text.strip()
