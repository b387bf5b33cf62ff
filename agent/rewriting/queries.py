"""Queries with the trust they deserve: from strategies, through grounding, to the searcher."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from ...errors import LeadlineError, OutputInvalid, PromptTooLong
from ..events import QueryRewritten, Warned
from ..research_graph import same_question
from ..toolbox import Toolbox
from .hallucinations import ground
from .strategies import STRATEGIES
from .strategy import Rewritable, StrategyName, one_line

_KEPT_OF_STRATEGY = 3


class Query(BaseModel):
    """Words to search for, and what the results count when they are fused with others."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    weight: float = 1.0
    strategy: StrategyName | None = None
    """The strategy that wrote it; None for the question itself."""


async def rewritten_queries(
    asked: Rewritable, strategies: Sequence[StrategyName], box: Toolbox, *, span_id: str
) -> list[Query]:
    """What ``strategies`` make of the question, grounded, without repeats of what was tried.

    A strategy whose model writes nonsense is said and costs its own queries only.

    Raises:
        Cancelled: the run's deadline was set.
        ModelError, EndpointError: as the engine raises them.
    """

    async def drafts(name: StrategyName) -> Sequence[str]:
        try:
            return await STRATEGIES[name].rewrite(asked, box.engine, cancel=box.deadline)
        except (OutputInvalid, PromptTooLong) as error:
            box.emit(Warned(span_id=span_id, message=_told(name, error)))
            return ()

    drafted = await asyncio.gather(*map(drafts, strategies))
    queries: list[Query] = []
    for name, texts in zip(strategies, drafted, strict=True):
        for text in list(filter(None, map(one_line, texts)))[:_KEPT_OF_STRATEGY]:
            earlier = (*asked.tried, *(query.text for query in queries))
            if any(same_question(text, other) for other in earlier):
                continue
            query = _grounded(text, name, asked, box, span_id)
            if query is not None:
                queries.append(query)
    return queries


def _grounded(
    text: str, name: StrategyName, asked: Rewritable, box: Toolbox, span_id: str
) -> Query | None:
    """The query with its weight, said as an event; None where it is not to be searched for."""
    weight: float = 1.0
    foreign: tuple[str, ...] = ()
    if name != "time":
        grounding = ground(text, asked.sources) if box.effort.flag_foreign_terms else None
        if grounding is not None:
            weight, foreign = grounding.weight, grounding.foreign
    box.emit(
        QueryRewritten(
            span_id=span_id, strategy=name, query=text, foreign_terms=foreign, weight=weight
        )
    )
    return Query(text=text, weight=weight, strategy=name) if weight else None


def _told(name: StrategyName, error: LeadlineError) -> str:
    return f"rewriting by {name} brought nothing: {error}"
