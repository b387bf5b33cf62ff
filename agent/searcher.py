"""One sub-question, from queries to an answer with citations: a LangGraph of its own.

Each step is checkpointed under the sub-question's own thread, so that a run which was stopped
goes on inside a searcher, and searchers never wait for each other's steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime

from ..errors import OutputInvalid, PromptTooLong
from ..evidence import Evidence
from .answering import answer_question
from .contradictions import contradictions_in
from .events import EvidenceFound, Warned
from .reading import read_pages
from .research_graph import SubAnswer
from .rewriting.choosing import chosen_strategies, learn, rewards
from .rewriting.feedback import better, is_thin, sufficiency
from .rewriting.queries import Query, rewritten_queries
from .rewriting.strategy import Rewritable, StrategyName
from .searching import search
from .toolbox import Toolbox

_KNOWN_CHARACTERS = 300


class SearcherState(TypedDict, total=False):
    """Plain data only: it is written to the checkpoint as it is."""

    node_id: str
    question: str
    known: list[tuple[str, str]]
    """What parents answered: (question, answer)."""
    queries: list[dict[str, Any]]
    """To be searched next."""
    tried: list[str]
    strategies: list[StrategyName]
    """Those that have rewritten already."""
    page_ids: list[str]
    """Pages of all rounds, those of the last one first."""
    own: list[str]
    """Pages that the question itself found."""
    brought: dict[str, list[str]]
    """Pages that the queries of each strategy found."""
    evidence: list[dict[str, object]]
    answer: dict[str, object]
    thin: bool
    """Whether the answer rests on too little."""
    rounds: int


Searcher = CompiledStateGraph[SearcherState, Toolbox, SearcherState, SearcherState]


def build_searcher(checkpointer: BaseCheckpointSaver[str] | None) -> Searcher:
    """search → read → answer, and again with other queries while the answer rests on too little."""
    graph = StateGraph(SearcherState, context_schema=Toolbox)
    graph.add_node("rewrite", _rewrite)
    graph.add_node("search", _search)
    graph.add_node("read", _read)
    graph.add_node("answer", _answer)
    graph.add_node("conclude", _conclude)
    graph.add_conditional_edges(START, _at_start, ["rewrite", "search"])
    graph.add_edge("search", "read")
    graph.add_edge("read", "answer")
    graph.add_conditional_edges("answer", _after_answer, ["rewrite", "conclude"])
    graph.add_conditional_edges("rewrite", _after_rewrite, ["search", "conclude"])
    graph.add_edge("conclude", END)
    return graph.compile(checkpointer=checkpointer)


async def _search(state: SearcherState, runtime: Runtime[Toolbox]) -> SearcherState:
    box, node_id = runtime.context, state["node_id"]
    queries = [Query.model_validate(query) for query in state.get("queries", [])]
    if not state.get("rounds", 0):
        queries = [*map(_plain, _first_queries(state)), *queries]
        if box.effort.time_context:
            queries += await rewritten_queries(
                _rewritable(state, box), ["time"], box, span_id=node_id
            )
    found = await search(
        box,
        node_id,
        state["question"],
        queries,
        limit=box.effort.pages_per_question,
        room=box.effort.reading_characters,
    )
    own, brought = list(state.get("own", [])), dict(state.get("brought", {}))
    for query, page_ids in found.by_query:
        if query.strategy is None:
            own += page_ids
        else:
            brought[query.strategy] = [*brought.get(query.strategy, []), *page_ids]
    return {
        "page_ids": _each_once([*(p.page_id for p in found.pages), *state.get("page_ids", [])]),
        "queries": [],
        "tried": [*state.get("tried", []), *(query.text for query in queries)],
        "own": _each_once(own),
        "brought": {name: _each_once(page_ids) for name, page_ids in brought.items()},
        "rounds": state.get("rounds", 0) + 1,
    }


def _first_queries(state: SearcherState) -> list[str]:
    """The question, and the question with what its parents answered, which may name its subject."""
    known = " ".join(answer for _, answer in state.get("known", []) if answer)
    if not known:
        return [state["question"]]
    return [state["question"], f"{state['question']} {known[:_KNOWN_CHARACTERS]}"]


async def _read(state: SearcherState, runtime: Runtime[Toolbox]) -> SearcherState:
    """Read the pages of all rounds together: scores of one reading alone can be compared."""
    box, node_id = runtime.context, state["node_id"]
    pages = [box.pages.get(page_id) for page_id in state["page_ids"]]
    if not pages:
        return {"evidence": []}
    known = {
        (item.span.page_id, item.span.start, item.span.end)
        for item in map(Evidence.model_validate, state.get("evidence", []))
    }
    found = await read_pages(box, node_id, _first_queries(state)[-1], pages)
    by_id = {page.page_id: page for page in pages}
    for evidence in found:
        span = evidence.span
        if (span.page_id, span.start, span.end) in known:
            continue
        page = by_id[span.page_id]
        box.emit(
            EvidenceFound(span_id=node_id, evidence=evidence, title=page.title, url=page.final_url)
        )
    return {"evidence": [evidence.model_dump(mode="json") for evidence in found]}


async def _answer(state: SearcherState, runtime: Runtime[Toolbox]) -> SearcherState:
    box, question = runtime.context, state["question"]
    evidence = _evidence(state)
    answer = SubAnswer()
    if evidence:
        answer = await answer_question(
            question,
            evidence,
            titles={e.span.page_id: box.pages.get(e.span.page_id).title for e in evidence},
            known=state.get("known", []),
            engine=box.engine,
            cancel=box.deadline,
            votes=box.effort.votes,
        )
    thin = not answer.claims
    if box.effort.feedback_on_thin_evidence and answer.claims:
        told = None
        if box.effort.sufficiency:
            told = await sufficiency(question, evidence, box.engine, cancel=box.deadline)
        thin = is_thin(question, answer, told)
    if "answer" in state:
        answer = better(SubAnswer.model_validate(state["answer"]), answer)
    return {"answer": answer.model_dump(mode="json"), "thin": thin}


async def _rewrite(state: SearcherState, runtime: Runtime[Toolbox]) -> SearcherState:
    box, node_id = runtime.context, state["node_id"]
    used = state.get("strategies", [])
    seed = f"{node_id} {state['question']} {len(used)}"
    chosen = await chosen_strategies(state["question"], used, box, seed=seed)
    queries = await rewritten_queries(_rewritable(state, box), chosen, box, span_id=node_id)
    return {
        "queries": [query.model_dump(mode="json") for query in queries],
        "strategies": [*used, *chosen],
    }


async def _conclude(state: SearcherState, runtime: Runtime[Toolbox]) -> SearcherState:
    """What the answer says of the sources and of the queries that found them."""
    box = runtime.context
    answer = SubAnswer.model_validate(state["answer"])
    brought = state.get("brought", {})
    used = {index for claim in answer.claims for index in claim.evidence}
    cited = [answer.evidence[index].span.page_id for index in sorted(used)]
    earned = rewards(
        state["question"],
        brought={name: brought.get(name, []) for name in state.get("strategies", [])},
        own=state.get("own", []),
        cited=cited,
    )
    await learn(earned, box)
    if not box.effort.contradictions:
        return {}
    try:
        found = await contradictions_in(
            state["question"], answer, engine=box.engine, cancel=box.deadline
        )
    except (OutputInvalid, PromptTooLong) as error:
        box.emit(Warned(span_id=state["node_id"], message=str(error)))
        return {}
    return {"answer": answer.model_copy(update={"disagreements": found}).model_dump(mode="json")}


def _rewritable(state: SearcherState, box: Toolbox) -> Rewritable:
    return Rewritable(
        question=state["question"],
        today=box.today,
        known=tuple((asked, answer) for asked, answer in state.get("known", [])),
        tried=tuple(state.get("tried", [])),
        passages=tuple(item.span.quote for item in _evidence(state)),
    )


def _evidence(state: SearcherState) -> list[Evidence]:
    return [Evidence.model_validate(item) for item in state.get("evidence", [])]


def _plain(text: str) -> Query:
    return Query(text=text)


def _each_once(page_ids: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(page_ids))


def _at_start(state: SearcherState, runtime: Runtime[Toolbox]) -> str:
    return "rewrite" if runtime.context.effort.rewrite_first else "search"


def _after_answer(state: SearcherState, runtime: Runtime[Toolbox]) -> str:
    spent = state.get("rounds", 0) >= runtime.context.effort.search_rounds
    return "conclude" if spent or not state["thin"] else "rewrite"


def _after_rewrite(state: SearcherState) -> str:
    """A round of other words; the first one searches for the question in any case."""
    return "search" if state.get("queries") or not state.get("rounds", 0) else "conclude"
