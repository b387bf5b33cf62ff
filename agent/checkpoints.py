"""Graphs that go on from their last checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiosqlite
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph.state import CompiledStateGraph

from .toolbox import Toolbox


async def run_checkpointed(
    build: Callable[[BaseCheckpointSaver[str]], CompiledStateGraph[Any, Toolbox, Any, Any]],
    path: Path,
    *,
    thread: str,
    start: Mapping[str, Any],
    box: Toolbox,
    steps: int,
) -> dict[str, Any]:
    """The final state of a graph: run from its last checkpoint in ``path``, or from ``start``.

    ``steps`` bounds the steps that the graph may take in all.
    """
    async with _checkpointer(path) as checkpointer:
        graph = build(checkpointer)
        config: RunnableConfig = {"configurable": {"thread_id": thread}, "recursion_limit": steps}
        snapshot = await graph.aget_state(config)
        if snapshot.values and not snapshot.next:
            return dict(snapshot.values)
        values = await graph.ainvoke(
            None if snapshot.values else start, config, context=box, durability="sync"
        )
        return dict(values)


@contextlib.asynccontextmanager
async def _checkpointer(path: Path) -> AsyncIterator[AsyncSqliteSaver]:
    """LangGraph's SQLite checkpointer; reads back plain data and nothing else."""
    async with aiosqlite.connect(path) as connection:
        yield AsyncSqliteSaver(connection, serde=JsonPlusSerializer(allowed_msgpack_modules=None))
