"""A person's edits of a plan: sound ones change the graph, the others are refused with a reason."""

from __future__ import annotations

import re

from .research_graph import Refusal, ResearchGraph, SubQuestion
from .steering import (
    AddQuestion,
    AskAgain,
    DropQuestion,
    ForkQuestion,
    PlanEdit,
    RewordQuestion,
)

MAX_TEXT = 1_000
"""Characters of a sub-question that a person may write."""
_REFERENCE = re.compile(r"#\s*(q\d+)", re.IGNORECASE)


def apply_edit(graph: ResearchGraph, edit: PlanEdit) -> str | None:
    """Change ``graph`` as ``edit`` says; the reason where it cannot be done, else None.

    What an edit makes stale is sent back to be searched anew: the node itself, and every node that
    builds on its answer. ``#q1`` in a text stands for the answer to that sub-question.
    """
    match edit:
        case AddQuestion():
            return _add(graph, edit)
        case DropQuestion():
            return _drop(graph, edit)
        case RewordQuestion():
            return _reword(graph, edit)
        case AskAgain():
            return _ask_again(graph, edit)
        case ForkQuestion():
            return _fork(graph, edit)


def _add(graph: ResearchGraph, edit: AddQuestion) -> str | None:
    wanted = dict.fromkeys([*edit.parents, *_references(edit.text)])
    reason = _unknown(graph, *wanted) or _too_long(edit.text)
    if reason is not None:
        return reason
    added = graph.add(_spelt_out(graph, edit.text), list(wanted))
    return added.reason if isinstance(added, Refusal) else None


def _drop(graph: ResearchGraph, edit: DropQuestion) -> str | None:
    if reason := _unknown(graph, edit.node_id):
        return reason
    if len(graph.nodes) == 1:
        return "it is the only question"
    graph.nodes = [node for node in graph.nodes if node.id != edit.node_id]
    for node in graph.nodes:
        node.parents = tuple(parent for parent in node.parents if parent != edit.node_id)
    return None


def _reword(graph: ResearchGraph, edit: RewordQuestion) -> str | None:
    references = _references(edit.text)
    if reason := _unknown(graph, edit.node_id, *references) or _too_long(edit.text):
        return reason
    node = graph.node(edit.node_id)
    below = {node.id, *(each.id for each in graph.descendants(node.id))}
    if circular := below.intersection(references):
        return f"{node.id} cannot wait for {min(circular)}, which waits for it"
    text = _spelt_out(graph, edit.text)
    if text == node.text:
        return "it says the same"
    if reason := graph.why_not(text, instead_of=node.id):
        return reason
    node.text = text
    node.parents = tuple(dict.fromkeys([*node.parents, *references]))
    _send_back(graph, node)
    return None


def _ask_again(graph: ResearchGraph, edit: AskAgain) -> str | None:
    if reason := _unknown(graph, edit.node_id):
        return reason
    node = graph.node(edit.node_id)
    if not node.settled:
        return f"{node.id} has no answer yet"
    _send_back(graph, node)
    return None


def _fork(graph: ResearchGraph, edit: ForkQuestion) -> str | None:
    references = _references(edit.text)
    if reason := _unknown(graph, edit.node_id, *references) or _too_long(edit.text):
        return reason
    first = graph.node(edit.node_id)
    followers = [node for node in graph.nodes if first.id in node.parents]
    below = {each.id for each in graph.descendants(first.id)}
    if circular := below.intersection(references):
        return f"a question beside {first.id} cannot wait for {min(circular)}"
    added = graph.add(_spelt_out(graph, edit.text), [*first.parents, *references])
    if isinstance(added, Refusal):
        return added.reason
    for node in followers:
        if node.state == "waiting":
            node.parents = (*node.parents, added.id)
    return None


def _send_back(graph: ResearchGraph, node: SubQuestion) -> None:
    """``node`` and what was begun on its answer are searched anew."""
    node.send_back()
    for each in graph.descendants(node.id):
        if each.state != "waiting":
            each.send_back()


def _references(text: str) -> list[str]:
    return [found.lower() for found in _REFERENCE.findall(text)]


def _spelt_out(graph: ResearchGraph, text: str) -> str:
    return " ".join(_REFERENCE.sub(lambda found: graph.described(found[1].lower()), text).split())


def _unknown(graph: ResearchGraph, *node_ids: str) -> str | None:
    known = {node.id for node in graph.nodes}
    missing = [node_id for node_id in node_ids if node_id not in known]
    return f"there is no {missing[0]}" if missing else None


def _too_long(text: str) -> str | None:
    if len(text) > MAX_TEXT:
        return f"it has {len(text):,} characters, {MAX_TEXT:,} are allowed"
    return None
