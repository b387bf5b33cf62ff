"""Sub-questions of a plan that ask the same in other words, found by embeddings."""

from __future__ import annotations

import re

from ..cancellation import Cancellation
from ..progress import silent
from ..threads import in_thread
from ..tools.vector_index import Embedder
from .research_graph import Refusal, ResearchGraph

SAME_MEANING = 0.93
"""Cosine similarity from which two questions of one sort on the same names are one."""
_SORTS = (
    r"\bwhen\b|\bwhat (?:year|date)\b|\bbirth date\b|哪一年|何时|什么时候",
    r"\bwhere\b|\bwhat (?:place|town|city|country)\b|哪里",
    r"\bwho(?:se|m)?\b|谁",
    r"\bhow (?:many|much)\b|多少",
    r"\bwhy\b|\bcauses?d?\b|为什么",
)
_NAMES = re.compile(r"(?<!^)\b[A-ZÀ-Þ][\w-]+|\d+")


async def merge_same_meaning(
    graph: ResearchGraph, embedder: Embedder, *, cancel: Cancellation
) -> list[Refusal]:
    """Take out of a fresh plan what an earlier node asks already; its children wait for that one.

    Near vectors alone say little: "when" and "where" of one person lie close together. So two
    questions must also be of one sort, name the same names and numbers, and wait for the same.

    Raises:
        Cancelled: ``cancel`` was set.
        ModelCorrupt: the embedder gives no numbers.
    """
    if len(graph.nodes) < 2:
        return []
    texts = [node.text for node in graph.nodes]
    vectors = await in_thread(
        lambda stop: embedder.embed(texts, cancel=stop, progress=silent), cancel=cancel
    )
    likeness = vectors @ vectors.T
    places = {node.id: place for place, node in enumerate(graph.nodes)}
    stands_for: dict[str, str] = {}
    refusals: list[Refusal] = []
    for node in list(graph.nodes):
        node.parents = tuple(dict.fromkeys(stands_for.get(each, each) for each in node.parents))
        for earlier in graph.nodes[: graph.nodes.index(node)]:
            near = likeness[places[node.id], places[earlier.id]] >= SAME_MEANING
            alike = _traits(node.text) == _traits(earlier.text)
            if near and alike and node.parents == earlier.parents:
                stands_for[node.id] = earlier.id
                graph.nodes.remove(node)
                reason = f"it asks what {earlier.id} asks"
                refusals.append(Refusal(proposal=node.text, reason=reason))
                break
    return refusals


def _traits(text: str) -> tuple[tuple[bool, ...], frozenset[str]]:
    sort = tuple(bool(re.search(pattern, text, re.IGNORECASE)) for pattern in _SORTS)
    return sort, frozenset(_NAMES.findall(text))
