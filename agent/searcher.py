"""One sub-question, from queries to an answer with citations: a LangGraph of its own.

Each step is checkpointed under the sub-question's own thread, so that a run which was stopped
goes on inside a searcher, and searchers never wait for each other's steps.
"""

from __future__ import annotations

from typing import TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from ..evidence import Evidence
from .answering import answer_question
from .events import EvidenceFound
from .query_rewriting import rewrite_queries
from .reading import read_pages
from .research_graph import SubAnswer
from .searching import find_pages
from .toolbox import Toolbox

_KNOWN_CHARACTERS = 300


class SearcherState(TypedDict, total=False):
    """Plain data only: it is written to the checkpoint as it is."""

    node_id: str
    question: str
    known: list[tuple[str, str]]
    """What parents answered: (question, answer)."""
    queries: list[str]
    tried: list[str]
    page_ids: list[str]
    """Pages of this round, best first."""
    evidence: list[dict[str, object]]
    answer: dict[str, object]
    rounds: int


Searcher = CompiledStateGraph[SearcherState, Toolbox, SearcherState, SearcherState]


def build_searcher(checkpointer: BaseCheckpointSaver[str] | None) -> Searcher:
    """search → read → answer, and once more with other queries while there is no answer."""
    graph = StateGraph(SearcherState, context_schema=Toolbox)
    graph.add_node("search", _search)
    graph.add_node("read", _read)
    graph.add_node("answer", _answer)
    graph.add_node("rewrite", _rewrite)
    graph.add_edge(START, "search")
    graph.add_edge("search", "read")
    graph.add_edge("read", "answer")
    graph.add_conditional_edges("answer", _after_answer, {"rewrite": "rewrite", "end": END})
    graph.add_conditional_edges("rewrite", _after_rewrite, {"search": "search", "end": END})
    return graph.compile(checkpointer=checkpointer)


async def _search(state: SearcherState, runtime: Runtime[Toolbox]) -> SearcherState:
    box, node_id = runtime.context, state["node_id"]
    queries = state.get("queries") or _first_queries(state)
    pages = await find_pages(box, node_id, queries, limit=box.effort.pages_per_question)
    return {
        "page_ids": [page.page_id for page in pages],
        "queries": [],
        "tried": [*state.get("tried", []), *queries],
        "rounds": state.get("rounds", 0) + 1,
    }


def _first_queries(state: SearcherState) -> list[str]:
    """The question, and the question with what its parents answered, which may name its subject."""
    known = " ".join(answer for _, answer in state.get("known", []) if answer)
    if not known:
        return [state["question"]]
    return [state["question"], f"{state['question']} {known[:_KNOWN_CHARACTERS]}"]


async def _read(state: SearcherState, runtime: Runtime[Toolbox]) -> SearcherState:
    box, node_id = runtime.context, state["node_id"]
    pages = [box.pages.get(page_id) for page_id in state["page_ids"]]
    if not pages:
        return {"evidence": state.get("evidence", [])}
    found = await read_pages(box, node_id, _first_queries(state)[-1], pages)
    by_id = {page.page_id: page for page in pages}
    for evidence in found:
        page = by_id[evidence.span.page_id]
        box.emit(
            EvidenceFound(span_id=node_id, evidence=evidence, title=page.title, url=page.final_url)
        )
    earlier = [Evidence.model_validate(item) for item in state.get("evidence", [])]
    merged = {(e.span.page_id, e.span.start, e.span.end): e for e in (*found, *earlier)}
    return {"evidence": [e.model_dump(mode="json") for e in merged.values()]}


async def _answer(state: SearcherState, runtime: Runtime[Toolbox]) -> SearcherState:
    box = runtime.context
    evidence = [Evidence.model_validate(item) for item in state.get("evidence", [])]
    if not evidence:
        return {"answer": SubAnswer().model_dump(mode="json")}
    titles = {e.span.page_id: box.pages.get(e.span.page_id).title for e in evidence}
    answer = await answer_question(
        state["question"],
        evidence,
        titles=titles,
        known=state.get("known", []),
        engine=box.engine,
        cancel=box.deadline,
    )
    return {"answer": answer.model_dump(mode="json")}


async def _rewrite(state: SearcherState, runtime: Runtime[Toolbox]) -> SearcherState:
    box = runtime.context
    queries = await rewrite_queries(
        state["question"],
        tried=state.get("tried", []),
        known=state.get("known", []),
        engine=box.engine,
        cancel=box.deadline,
    )
    return {"queries": queries}


def _after_answer(state: SearcherState, runtime: Runtime[Toolbox]) -> str:
    found = bool(SubAnswer.model_validate(state["answer"]).claims)
    spent = state.get("rounds", 0) >= runtime.context.effort.search_rounds
    return "end" if found or spent else "rewrite"


def _after_rewrite(state: SearcherState) -> str:
    return "search" if state.get("queries") else "end"
