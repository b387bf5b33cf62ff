"""Other words for a question whose first search brought no answer."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from ..cancellation import Cancellation
from ..runtime.engine import Engine, GenerationRequest, Message
from ..runtime.structured import generate_object
from .research_graph import same_question

_QUERY_TOKENS = 120

_REWRITE = """\
A search found no answer. Give up to three other search queries for the same question: other \
words for its main ideas, technical terms, the name of the thing that is meant. Short, no \
sentences. Answer in JSON."""


class _Queries(BaseModel):
    model_config = ConfigDict(extra="ignore")

    queries: list[str] = Field(max_length=3)


async def rewrite_queries(
    question: str,
    *,
    tried: Sequence[str],
    known: Sequence[tuple[str, str]],
    engine: Engine,
    cancel: Cancellation,
) -> list[str]:
    """Up to three queries that differ from those ``tried``.

    Raises:
        OutputInvalid: the model's queries cannot be read.
        Cancelled: ``cancel`` was set.
    """
    lines = [f"Question: {question}", "Tried:", *(f"- {query}" for query in tried)]
    if known:
        lines += ["Known:", *(f"- {asked} {answer}" for asked, answer in known)]
    messages = (Message("system", _REWRITE), Message("user", "\n".join(lines)))
    request = GenerationRequest(messages=messages, max_tokens=_QUERY_TOKENS)
    draft = await generate_object(engine, request, _Queries, cancel=cancel)
    fresh: list[str] = []
    for query in draft.queries:
        query = " ".join(query.split())
        if query and not any(same_question(query, other) for other in (*tried, *fresh)):
            fresh.append(query)
    return fresh
