"""The MCP server over a folder, with an engine that follows rules; run as a process by the tests."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

from leadline import AsyncLeadline, Cancellation
from leadline.cancellation import unless_cancelled
from leadline.integrations.mcp_server import build_server
from leadline.runtime.engine import Generation, GenerationRequest, TextDelta
from own_engine import RuleEngine


class StuckEngine(RuleEngine):
    """Never answers; says so on stderr when it is asked, and when it is stopped."""

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        print("asked", file=sys.stderr, flush=True)
        try:
            await unless_cancelled(asyncio.Event().wait(), cancel)
        finally:
            print("stopped", file=sys.stderr, flush=True)
        yield TextDelta("")


if __name__ == "__main__":
    engine = StuckEngine() if sys.argv[2:] == ["stuck"] else RuleEngine()
    build_server(AsyncLeadline(corpora=[sys.argv[1]], engine=engine, reader="none")).run("stdio")
