"""Graphs that go on from their last checkpoint, in a SQLite file or in Postgres."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import StateSnapshot
from langsmith import tracing_context

from .crashes import tried_twice
from .postgres_checkpoints import PostgresCheckpoints
from .toolbox import Toolbox


async def run_checkpointed(
    build: Callable[[BaseCheckpointSaver[str]], CompiledStateGraph[Any, Toolbox, Any, Any]],
    where: Path | PostgresCheckpoints,
    *,
    thread: str,
    start: Mapping[str, Any],
    box: Toolbox,
    steps: int,
) -> dict[str, Any]:
    """The final state of a graph: run from its last checkpoint ``where``, or from ``start``.

    ``steps`` bounds the steps that the graph may take in all. A step that crashes is tried once
    more, from the checkpoint before it.

    Raises:
        RunError: a step crashed twice.
        ServiceError: Postgres cannot be reached.
    """
    async with _checkpointer(where) as checkpointer:
        graph = build(checkpointer)
        config: RunnableConfig = {"configurable": {"thread_id": thread}, "recursion_limit": steps}

        async def go_on() -> dict[str, Any]:
            snapshot = await graph.aget_state(config)
            if is_finished(snapshot):
                return dict(snapshot.values)
            return await go_on_from(snapshot, graph, start, config, box)

        return await tried_twice(go_on, "a step of the run", "run", box)


async def go_on_from(
    snapshot: StateSnapshot,
    graph: CompiledStateGraph[Any, Toolbox, Any, Any],
    start: object,
    config: RunnableConfig,
    box: Toolbox,
) -> dict[str, Any]:
    """The final state of a graph, from ``snapshot``, or from ``start`` where that is empty.

    It tells LangSmith nothing, though the user's environment may ask that of programmes of their
    own. A graph inside of a graph does not inherit that.
    """
    with tracing_context(enabled=False):
        values = await graph.ainvoke(
            None if snapshot.values else start, config, context=box, durability="sync"
        )
    return dict(values)


def is_finished(snapshot: StateSnapshot) -> bool:
    """Whether a graph has come to its end.

    Its ``next`` does not tell: it leaves out a step that was done but for its checkpoint.
    """
    return bool(snapshot.values) and not snapshot.tasks


def _checkpointer(
    where: Path | PostgresCheckpoints,
) -> AbstractAsyncContextManager[BaseCheckpointSaver[str]]:
    """LangGraph's checkpointer; reads back plain data and nothing else."""
    serde = JsonPlusSerializer(allowed_msgpack_modules=None)
    if isinstance(where, PostgresCheckpoints):
        return where.saver(serde)
    return _sqlite(where, serde)


@contextlib.asynccontextmanager
async def _sqlite(path: Path, serde: JsonPlusSerializer) -> AsyncIterator[AsyncSqliteSaver]:
    async with aiosqlite.connect(path) as connection:
        yield AsyncSqliteSaver(connection, serde=serde)
