"""A model that answers every kind of prompt about a small town, and what it is asked."""

from __future__ import annotations

import asyncio
import json
import re

from leadline.runtime.engine import GenerationRequest
from leadline.runtime.scripted_engine import ScriptedEngine

from ..agent.conftest import ENOUGH, SUPPORTED, answer, plan, written

QUESTION = "Who is the mayor of Port Alder and where was that person born?"
CLEAR = json.dumps({"clear": True, "question": "", "choices": []})
UNCLEAR = json.dumps(
    {"clear": False, "question": "Which Port Alder is meant?", "choices": ["the town", "the ship"]}
)
MAYOR = "The mayor is Ines Varga."
REPORT = "The mayor, Ines Varga, was born in Szeged."


class Town:
    """Replies by what a prompt asks for; change its attributes to have other replies."""

    def __init__(self, *, held: bool = False, clarification: str = CLEAR) -> None:
        self.clarification = clarification
        self.questions = ["Who is the mayor of Port Alder?", "Where was #1 born?"]
        self.failure: Exception | None = None
        """Raised in place of the next answer of a searcher."""
        self.gate = asyncio.Event() if held else None
        """Every answer halts here in the middle until it is set."""
        self.engine = ScriptedEngine(respond=self.reply, gate=self.gate)

    def reply(self, request: GenerationRequest) -> str:
        system, user = request.messages[0].content, request.messages[-1].content
        if "must be asked back" in system:
            return self.clarification
        if "Split a research question" in system:
            return plan("multi-hop", *self.questions)
        if "You answer a question" in system:
            if self.failure is not None:
                raise self.failure
            return self._answer(user)
        if "check whether notes answer" in system:
            return ENOUGH
        if "You write the answer" in system:
            notes = [int(number) for number in re.findall(r"^\[(\d+)\]", user, re.MULTILINE)]
            return written((REPORT, notes))
        if "Does the passage say" in system:
            return SUPPORTED
        if "A search found no answer" in system:
            return json.dumps({"queries": []})
        raise AssertionError(system)

    def _answer(self, user: str) -> str:
        question = user.rsplit("Question: ", 1)[1]
        text = "Ines Varga was born in Szeged." if "born" in question else MAYOR
        return answer((text, [1]))
