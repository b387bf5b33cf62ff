"""From a question to a graph of sub-questions, proposed by a model and put right by code."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from ..cancellation import Cancellation
from ..runtime.engine import Engine, GenerationRequest, Message
from ..runtime.structured import generate_object
from ..tools.quarantine import neutralise
from .comparison_questions import comparison_questions
from .grounding import has_words_of
from .intent import intent_of
from .nested_questions import unnested
from .parent_answers import short_answer
from .plan_repair import guessed_name, repaired_proposals
from .question_signs import answered_without_search, has_parts
from .research_graph import Proposal, QuestionKind, Refusal, ResearchGraph, SubQuestion
from .toolbox import Planning

_PLAN_TOKENS = 420
_GROWTH_TOKENS = 120
_NOTE_CHARACTERS = 400

_PLAN = """\
Split a research question into the fewest sub-questions that can be looked up one by one. First \
say in a few words what would count as an answer ("wanted") and what would not ("unwanted").
- kind "fact": one look-up answers it. Give one sub-question, the question itself.
- kind "comparison": one sub-question for each thing compared.
- kind "list": one sub-question that asks for the whole list.
- kind "multi-hop": a chain; #1 stands for the answer to sub-question 1, and "needs" names it.
- kind "open": two to four sub-questions on different sides of the matter.
Never guess an answer. Never repeat a sub-question in other words. Answer in JSON.

Question: What is the default port of PostgreSQL?
{"wanted": "a port number", "unwanted": "how to change it", "kind": "fact", \
"sub_questions": [{"question": "What is the default port of PostgreSQL?", "needs": []}]}

Question: Which is taller, the Eiffel Tower or the Shard?
{"wanted": "one of the two, with both heights", "unwanted": "when they were built", \
"kind": "comparison", "sub_questions": [{"question": "How tall is the Eiffel Tower?", "needs": []}, \
{"question": "How tall is the Shard?", "needs": []}]}

Question: In which year was the director of the film Alien born?
{"wanted": "a year of birth", "unwanted": "the year of the film", "kind": "multi-hop", \
"sub_questions": [{"question": "Who directed the film Alien?", "needs": []}, \
{"question": "In which year was #1 born?", "needs": [1]}]}

Question: How many people live in the town where the founder of the Red Cross died?
{"wanted": "a number of inhabitants", "unwanted": "how many people the Red Cross helps", \
"kind": "multi-hop", "sub_questions": [{"question": "Who founded the Red Cross?", "needs": []}, \
{"question": "In which town did #1 die?", "needs": [1]}, \
{"question": "How many people live in #2?", "needs": [2]}]}

Question: Which bridges cross the Tyne in Newcastle?
{"wanted": "the names of the bridges", "unwanted": "bridges of other rivers", "kind": "list", \
"sub_questions": [{"question": "Which bridges cross the Tyne in Newcastle?", "needs": []}]}

Question: Is rainwater harvesting worthwhile for a small farm?
{"wanted": "costs, yields and conditions", "unwanted": "a history of irrigation", "kind": "open", \
"sub_questions": [{"question": "What does rainwater harvesting cost on a small farm?", "needs": []}, \
{"question": "How much water does rainwater harvesting yield?", "needs": []}]}"""

_GROWTH = """\
You check whether notes answer a question in full. If they do, set "enough" to true and leave \
"question" empty. If one fact is missing, set "enough" to false and ask for exactly that fact in \
"question", naming people and things in full. Answer in JSON.

Question: In which year was the director of the film Alien born?
Notes:
- Who directed the film Alien? → Ridley Scott directed Alien.
{"enough": false, "question": "In which year was Ridley Scott born?"}

Question: Which is taller, the Eiffel Tower or the Shard?
Notes:
- How tall is the Eiffel Tower? → It is 330 metres tall.
- How tall is the Shard? → The Shard is 310 metres tall.
{"enough": true, "question": ""}"""


class _Plan(BaseModel):
    model_config = ConfigDict(extra="ignore")

    wanted: str = Field(default="", max_length=160)
    unwanted: str = Field(default="", max_length=160)
    kind: QuestionKind
    sub_questions: list[Proposal] = Field(max_length=5)


class _Growth(BaseModel):
    model_config = ConfigDict(extra="ignore")

    enough: bool
    question: str = Field(default="", max_length=300)


async def plan(
    question: str,
    engine: Engine,
    *,
    meant: str = "",
    planning: Planning = "ahead",
    cancel: Cancellation,
) -> tuple[ResearchGraph, list[Refusal]]:
    """The first graph for ``question``, and what of the model's plan was refused.

    ``meant`` is what the person said it means. Where searching cannot help, the graph has no node
    and says so in its remark. A question that describes a thing by a clause, or compares two by
    a known measure, is taken apart by code. One with a single clause is a fact to look up: it is
    taken as it is, and no model is asked. So is one of whose plan fewer than two sub-questions are
    sound. With ``planning="grow"`` a chain begins with what waits for nothing; :func:`grow` adds
    the rest.

    Raises:
        OutputInvalid: the model gave no plan that can be read.
        Cancelled: ``cancel`` was set.
    """
    if remark := answered_without_search(question):
        return ResearchGraph(question=question, kind="fact", remark=remark), []
    compared = [Proposal(question=part) for part in comparison_questions(question)]
    by_code: list[tuple[QuestionKind, list[Proposal]]] = [
        ("multi-hop", unnested(question)),
        ("comparison", compared),
    ]
    for kind, parts in by_code:
        graph = ResearchGraph(question=question, kind=kind, meant=meant, intent=intent_of(question))
        refusals = graph.add_proposals(parts)
        if len(graph.nodes) > 1:
            return graph, refusals
    if not has_parts(question):
        return single(question, "fact", meant=meant), []
    asked = f"Question: {question}" + (f"\nMeant: {meant}" if meant else "")
    draft = await generate_object(
        engine, _request(_PLAN, asked, _PLAN_TOKENS), _Plan, cancel=cancel
    )
    whole = single(question, draft.kind, meant=meant)
    whole.intent = intent_of(question, wanted=draft.wanted, unwanted=draft.unwanted)
    if draft.kind in ("fact", "list"):
        return whole, []
    graph = ResearchGraph(question=question, kind=draft.kind, meant=meant, intent=whole.intent)
    known = f"{question} {meant}"
    proposals, refusals = repaired_proposals(draft.sub_questions, known, draft.kind)
    refusals += graph.add_proposals(proposals)
    refusals = [refusal for refusal in refusals if refusal.proposal]
    if len(graph.nodes) < 2:
        return whole, refusals
    if draft.kind == "multi-hop" and planning == "grow":
        graph.nodes = [node for node in graph.nodes if not node.parents]
    return graph, refusals


def single(question: str, kind: QuestionKind = "open", *, meant: str = "") -> ResearchGraph:
    """A graph whose only node is the question itself."""
    graph = ResearchGraph(question=question, kind=kind, meant=meant, intent=intent_of(question))
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
    notes = "\n".join(f"- {node.asked or node.text} → {_note(node)}" for node in graph.nodes)
    wanted = f"\nWanted: {graph.intent.wanted}" if graph.intent.wanted else ""
    prompt = f"Question: {graph.question}{wanted}\nNotes:\n{notes}"
    draft = await generate_object(
        engine, _request(_GROWTH, prompt, _GROWTH_TOKENS), _Growth, cancel=cancel
    )
    question = " ".join(draft.question.split())
    if draft.enough or not question:
        return None
    if guess := guessed_name(question, f"{graph.question} {graph.meant} {notes}"):
        return Refusal(proposal=question, reason=f"it guesses {guess!r}")
    if not has_words_of(question, _known(graph)):
        return Refusal(proposal=question, reason="it has nothing of the question")
    if any(node.asked == question for node in graph.nodes):
        return Refusal(proposal=question, reason="it was asked before")
    return graph.add(question, [node.id for node in graph.answered])


def may_grow(graph: ResearchGraph) -> bool:
    """Whether a further question could help: no, once the last one that was added found nothing."""
    if not graph.answered or graph.ready() or graph.kind not in ("multi-hop", "open"):
        return False
    return graph.nodes[-1].state == "answered"


def _known(graph: ResearchGraph) -> str:
    """What was asked, and the answers that speak of it."""
    known = [graph.question, graph.meant]
    for node in graph.nodes:
        known.append(node.text)
        if node.answer and has_words_of(node.answer.text, node.asked or node.text):
            known.append(node.answer.text)
    return " ".join(known)


def _note(node: SubQuestion) -> str:
    if node.answer is None or not node.answer.text:
        return "not found"
    short = short_answer(node)
    text = neutralise(node.answer.text)[:_NOTE_CHARACTERS]
    return text if not short or short in text else f"{short}: {text}"


def _request(system: str, user: str, max_tokens: int) -> GenerationRequest:
    messages = (Message("system", system), Message("user", user))
    return GenerationRequest(messages=messages, max_tokens=max_tokens)
