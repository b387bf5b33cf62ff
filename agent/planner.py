"""From a question to a graph of sub-questions, proposed by a model and put right by code."""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field

from ..cancellation import Cancellation
from ..runtime.engine import Engine, GenerationRequest, Message
from ..runtime.structured import generate_object
from ..tools.quarantine import neutralise
from .research_graph import Proposal, QuestionKind, Refusal, ResearchGraph, SubQuestion

_PARTS = re.compile(
    r"[;?？；]"
    r"|\b(?:which|what|who|how|when|where)\b.*[,，]\s*(?:in )?(?:which|what|who|how|when|where)\b"
    r"|\b(?:and|or|vs\.?|versus|compare[ds]?|difference|differs?|than|between|whose|both|pros|"
    r"advantages?|why|how do|explain)\b"
    r"|和|与|以及|还是|比较|区别|为什么",
    re.IGNORECASE,
)
_PLAN_TOKENS = 320
_GROWTH_TOKENS = 120

_PLAN = """\
Split a research question into the fewest sub-questions that can be looked up one by one.
- kind "fact": one look-up answers it. Give one sub-question, the question itself.
- kind "comparison": one sub-question for each thing compared.
- kind "list": one sub-question that asks for the whole list.
- kind "multi-hop": a chain; a later sub-question names in "needs" the numbers of those it waits for.
- kind "open": two to four sub-questions on different sides of the matter.
Never guess an answer. Never repeat a sub-question in other words. Answer in JSON.

Question: What is the default port of PostgreSQL?
{"kind": "fact", "sub_questions": [{"question": "What is the default port of PostgreSQL?", "needs": []}]}

Question: Which is taller, the Eiffel Tower or the Shard?
{"kind": "comparison", "sub_questions": [{"question": "How tall is the Eiffel Tower?", "needs": []}, \
{"question": "How tall is the Shard?", "needs": []}]}

Question: In which year was the director of the film Alien born?
{"kind": "multi-hop", "sub_questions": [{"question": "Who directed the film Alien?", "needs": []}, \
{"question": "In which year was #1 born?", "needs": [1]}]}"""

_GROWTH = """\
You check whether notes answer a question in full. If they do, set "enough" to true and leave \
"question" empty. If one fact is missing, set "enough" to false and ask for exactly that fact in \
"question", naming people and things in full. Answer in JSON."""


class _Plan(BaseModel):
    model_config = ConfigDict(extra="ignore")

    kind: QuestionKind
    sub_questions: list[Proposal] = Field(max_length=5)


class _Growth(BaseModel):
    model_config = ConfigDict(extra="ignore")

    enough: bool
    question: str = Field(default="", max_length=300)


async def plan(
    question: str, engine: Engine, *, meant: str = "", cancel: Cancellation
) -> tuple[ResearchGraph, list[Refusal]]:
    """The first graph for ``question``, and what of the model's plan was refused.

    ``meant`` is what the person said it means.

    A question with one clause is a fact to look up: it is taken as it is, and no model is asked.
    So is one of whose plan less than two sub-questions are sound.

    Raises:
        OutputInvalid: the model gave no plan that can be read.
        Cancelled: ``cancel`` was set.
    """
    if not has_parts(question):
        return single(question, "fact", meant=meant), []
    asked = f"Question: {question}" + (f"\nMeant: {meant}" if meant else "")
    request = _request(_PLAN, asked, _PLAN_TOKENS)
    draft = await generate_object(engine, request, _Plan, cancel=cancel)
    graph = ResearchGraph(question=question, kind=draft.kind, meant=meant)
    if draft.kind in ("fact", "list"):
        return single(question, draft.kind, meant=meant), []
    refusals = graph.add_proposals(draft.sub_questions)
    if len(graph.nodes) < 2:
        return single(question, draft.kind, meant=meant), refusals
    return graph, refusals


def has_parts(question: str) -> bool:
    """Whether a question shows signs of more than one thing to look up."""
    return bool(_PARTS.search(question.strip().rstrip("?？.!")))


def single(question: str, kind: QuestionKind = "open", *, meant: str = "") -> ResearchGraph:
    """A graph whose only node is the question itself."""
    graph = ResearchGraph(question=question, kind=kind, meant=meant)
    graph.add(f"{question} ({meant})" if meant else question)
    return graph


async def grow(
    graph: ResearchGraph, engine: Engine, *, cancel: Cancellation
) -> SubQuestion | Refusal | None:
    """Add the one question whose answer is still missing; None if the notes are enough.

    Raises:
        OutputInvalid: the model's judgement cannot be read.
        Cancelled: ``cancel`` was set.
    """
    answers = [neutralise(node.answer.text) if node.answer else "" for node in graph.nodes]
    notes = "\n".join(
        f"- {node.text} → {answer or 'not found'}"
        for node, answer in zip(graph.nodes, answers, strict=True)
    )
    prompt = f"Question: {graph.question}\n\nNotes:\n{notes}"
    draft = await generate_object(
        engine, _request(_GROWTH, prompt, _GROWTH_TOKENS), _Growth, cancel=cancel
    )
    if draft.enough or not draft.question.strip():
        return None
    return graph.add(draft.question, [node.id for node in graph.answered])


def _request(system: str, user: str, max_tokens: int) -> GenerationRequest:
    messages = (Message("system", system), Message("user", user))
    return GenerationRequest(messages=messages, max_tokens=max_tokens)
