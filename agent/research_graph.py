"""The research graph: sub-questions and what each one waits for, held as data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..evidence import Evidence
from .grounding import FILLERS
from .intent import Intent

NodeState = Literal["waiting", "running", "answered", "unanswered", "failed"]
QuestionKind = Literal["fact", "comparison", "list", "multi-hop", "open"]

MAX_NODES = 24
_SAME_QUESTION = 0.8
_REFERENCE = re.compile(r"#\s*q?(\d+)", re.IGNORECASE)
_WORD = re.compile(r"[\w.]+")
_ANAPHORA = re.compile(
    r"\b(that|this|those|these|its|they|them|their|he|she|his|her|him)\b", re.IGNORECASE
)
_SORT = re.compile(r"\b(?:who|whom|whose|when|where|why)\b", re.IGNORECASE)


class CitedClaim(BaseModel):
    """One statement and the numbers (0-based) of the evidence it rests on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    evidence: tuple[int, ...]


class Disagreement(BaseModel):
    """Two pieces of evidence (0-based numbers) that give different values for one question."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    evidence: int
    value: str
    other_evidence: int
    other_value: str


class SubAnswer(BaseModel):
    """What a searcher brought back: claims over its own evidence, best evidence first."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    claims: tuple[CitedClaim, ...] = ()
    short: str = ""
    """The bare name, number or date that was asked for; empty where the answer is no such thing."""
    agreement: float | None = None
    """The share of sampled answers that say ``short``; None where none were sampled."""
    evidence: tuple[Evidence, ...] = ()
    dropped_citations: int = 0
    """References to evidence that does not exist, dropped."""
    disagreements: tuple[Disagreement, ...] = ()
    """Where other evidence says otherwise than ``short``."""

    @property
    def text(self) -> str:
        return " ".join(claim.text for claim in self.claims)


class SubQuestion(BaseModel):
    """A node of the graph. A question starts once all its parents are settled."""

    model_config = ConfigDict(extra="forbid")

    id: str
    text: str
    parents: tuple[str, ...] = ()
    state: NodeState = "waiting"
    attempt: int = 0
    """How often it was sent back to be searched anew."""
    asked: str = ""
    """The text as it was searched, with the answers of its parents in it."""
    answer: SubAnswer | None = None
    error: str | None = None
    error_kind: str | None = None
    """The class of the error, by its name in :mod:`leadline.errors`."""

    @property
    def settled(self) -> bool:
        return self.state in ("answered", "unanswered", "failed")

    @property
    def search_id(self) -> str:
        """Names one search for the question; being sent back begins another."""
        return f"{self.id}.{self.attempt}" if self.attempt else self.id

    def send_back(self) -> None:
        """Forget what was found: the question waits to be searched anew."""
        self.state, self.attempt = "waiting", self.attempt + 1
        self.answer = self.error = self.error_kind = None
        self.asked = ""


class Proposal(BaseModel):
    """A sub-question as a model proposes it; ``needs`` are 1-based numbers of other proposals."""

    model_config = ConfigDict(extra="ignore")

    question: str
    needs: list[int] = Field(default_factory=list)


class Refusal(BaseModel):
    """Why a proposal, or a part of one, was not taken over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    proposal: str
    reason: str


class ResearchGraph(BaseModel):
    """A directed acyclic graph of sub-questions under one question.

    A new node waits for nodes that are there already, so no sequence of additions can make a
    cycle. Ids are never given out twice.
    """

    model_config = ConfigDict(extra="forbid")

    question: str
    kind: QuestionKind = "open"
    meant: str = ""
    """What the person said the question means, when asked back."""
    intent: Intent = Intent()
    remark: str = ""
    """What is to be said in place of an answer, where there is nothing to search."""
    nodes: list[SubQuestion] = Field(default_factory=list)
    last_number: int = 0
    """The number in the newest id."""
    revision: int = 0
    """Counts changes of the plan: of two versions of a graph, the higher one is the later."""

    def node(self, node_id: str) -> SubQuestion:
        """The node with this id; KeyError if there is none."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)

    def ready(self) -> list[SubQuestion]:
        """Waiting nodes whose own parents are all settled, oldest first."""
        settled = {node.id for node in self.nodes if node.settled}
        return [
            node
            for node in self.nodes
            if node.state == "waiting" and settled.issuperset(node.parents)
        ]

    def parents_of(self, node: SubQuestion) -> list[SubQuestion]:
        return [self.node(parent) for parent in node.parents]

    def descendants(self, node_id: str) -> list[SubQuestion]:
        """The nodes that build on this one, directly or through others."""
        below = {node_id}
        while grown := {node.id for node in self.nodes if below.intersection(node.parents)} - below:
            below |= grown
        return [node for node in self.nodes if node.id in below and node.id != node_id]

    @property
    def answered(self) -> list[SubQuestion]:
        return [node for node in self.nodes if node.state == "answered"]

    @property
    def open(self) -> list[SubQuestion]:
        """Nodes without an answer, whatever the reason."""
        return [node for node in self.nodes if node.state != "answered"]

    def add(self, text: str, parents: Sequence[str] = ()) -> SubQuestion | Refusal:
        """Add one question, or say why not. Unknown parents are left out."""
        text = " ".join(text.split())
        reason = self.why_not(text)
        if reason is None and len(self.nodes) >= MAX_NODES:
            reason = f"the graph is full at {MAX_NODES} questions"
        if reason is not None:
            return Refusal(proposal=text, reason=reason)
        known = {node.id for node in self.nodes}
        self.last_number = max(self.last_number, len(self.nodes)) + 1
        node = SubQuestion(
            id=f"q{self.last_number}",
            text=text,
            parents=tuple(dict.fromkeys(parent for parent in parents if parent in known)),
        )
        self.nodes.append(node)
        return node

    def why_not(self, text: str, *, instead_of: str = "") -> str | None:
        """What speaks against asking ``text``, in place of a node or beside all of them."""
        if not content_words(text):
            return "it is empty"
        for node in self.nodes:
            if node.id != instead_of and same_question(node.text, text):
                return f"it repeats {node.id}"
        return None

    def described(self, node_id: str) -> str:
        """Words that stand for the node's answer in another question."""
        return f'the answer to "{self.node(node_id).text.rstrip("?")}"'

    def add_proposals(self, proposals: Sequence[Proposal]) -> list[Refusal]:
        """Take over what is sound of a model's plan; the rest comes back with reasons.

        A proposal that repeats the whole question is refused when there are others: the whole is
        answered from the parts. References to later or unknown proposals are dropped. A proposal
        that speaks of "that person" without naming its need waits for the one before it.
        """
        refusals: list[Refusal] = []
        ids: dict[int, str] = {}
        several = len(proposals) > 1
        for number, proposal in enumerate(proposals, start=1):
            if several and same_question(proposal.question, self.question):
                refusals.append(Refusal(proposal=proposal.question, reason="it repeats the whole"))
                continue
            named = [int(match) for match in _REFERENCE.findall(proposal.question)]
            wanted = dict.fromkeys([*proposal.needs, *named])
            if not wanted and number > 1 and _ANAPHORA.search(proposal.question):
                wanted = dict.fromkeys([number - 1])
            unknown = [need for need in wanted if need not in ids]
            if named and not ids.keys() & set(named):
                reason = "what it builds on is not in the plan"
                refusals.append(Refusal(proposal=proposal.question, reason=reason))
                continue
            if unknown:
                reason = f"it needs {unknown}, which do not come before it; those needs are dropped"
                refusals.append(Refusal(proposal=proposal.question, reason=reason))
            text = _spell_out(proposal.question, ids, self)
            added = self.add(text, [ids[need] for need in wanted if need in ids])
            if isinstance(added, Refusal):
                refusals.append(added)
            else:
                ids[number] = added.id
        return refusals


def same_question(first: str, second: str) -> bool:
    """Whether two questions share almost all their content words (Jaccard index).

    "When" and "where" of one thing are two questions.
    """
    sorts = [set(map(str.casefold, _SORT.findall(text))) for text in (first, second)]
    if all(sorts) and sorts[0] != sorts[1]:
        return False
    a, b = content_words(first), content_words(second)
    if not a or not b:
        return False
    return len(a & b) / len(a | b) >= _SAME_QUESTION


def content_words(text: str) -> frozenset[str]:
    """Words that say what a text is about, in lower case; all of them where there are no others."""
    words = [word.strip(".").casefold() for word in _WORD.findall(text)]
    content: Iterable[str] = (word for word in words if word and word not in FILLERS)
    return frozenset(content) or frozenset(word for word in words if word)


def _spell_out(text: str, ids: dict[int, str], graph: ResearchGraph) -> str:
    """Replace ``#1`` by what that question asks for, so that the text stands alone."""

    def described(match: re.Match[str]) -> str:
        node_id = ids.get(int(match.group(1)))
        if node_id is None:
            return "it"
        return graph.described(node_id)

    return _REFERENCE.sub(described, text)
