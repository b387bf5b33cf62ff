"""The client for programmes without an event loop, and for notebooks."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, Unpack

from ..agent.report import Report
from ..agent.sources import Source
from ..agent.steering import Clarification, Clarify
from ..cancellation import Cancellation
from ..evidence import Page
from ..progress import Progress, silent
from ..runtime.engine import Engine
from ..runtime.reader import Reader
from ..settings import Settings
from ..tools.page_storage import PageStorage
from ..tools.search.protocol import SearchBackend
from .async_client import AsyncLeadline
from .loop_thread import LoopThread
from .options import OnEvent, RunOptions, SyncRunOptions
from .results import ReadResult
from .streams import EventStream


class Leadline:
    """:class:`leadline.AsyncLeadline` for programmes without an event loop.

    Every method blocks until its result is there; the work is done in a thread of its own, so that
    it can also be called where a loop runs, as in a notebook. Safe from several threads.

    ```python
    from leadline import Leadline

    with Leadline(corpora=["./docs"]) as lead:
        report = lead.run("Which pragma sets the busy timeout?")
        print(report.to_markdown())
    ```

    The arguments are those of :class:`leadline.AsyncLeadline`, and so are the errors.
    """

    def __init__(
        self,
        *,
        corpora: Sequence[str | os.PathLike[str]] = (),
        web: bool | None = None,
        engine: Engine | None = None,
        reader: Reader | str | None = None,
        search: Sequence[SearchBackend] = (),
        sources: Sequence[Source] = (),
        pages: PageStorage | None = None,
        on_event: OnEvent | None = None,
        progress: Progress = silent,
        **settings: object,
    ) -> None:
        self._client = AsyncLeadline(
            corpora=corpora,
            web=web,
            engine=engine,
            reader=reader,
            search=search,
            sources=sources,
            pages=pages,
            on_event=on_event,
            progress=progress,
            **settings,
        )
        self._thread = LoopThread()

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._client.settings

    def run(self, question: str, **options: Unpack[SyncRunOptions]) -> Report:
        """See :meth:`leadline.AsyncLeadline.run`. Ctrl-C stops the run; it can be resumed."""
        return self._thread.run(self._client.run(question, **_asynchronous(options)))

    def stream(self, question: str, **options: Unpack[SyncRunOptions]) -> EventStream:
        """See :meth:`leadline.AsyncLeadline.stream`.

        ```python
        with lead.stream("Who opened the harbour?") as events:
            for event in events:
                print(event.kind)
            print(events.report.markdown)
        ```
        """
        return EventStream(self._client.stream(question, **_asynchronous(options)), self._thread)

    def follow_up(self, run_id: str, question: str, **options: Unpack[SyncRunOptions]) -> Report:
        """See :meth:`leadline.AsyncLeadline.follow_up`."""
        return self._thread.run(self._client.follow_up(run_id, question, **_asynchronous(options)))

    def table(
        self,
        query: str,
        *,
        columns: Sequence[str] = (),
        keys: Sequence[str] = (),
        **options: Unpack[SyncRunOptions],
    ) -> Report:
        """See :meth:`leadline.AsyncLeadline.table`."""
        return self._thread.run(
            self._client.table(query, columns=columns, keys=keys, **_asynchronous(options))
        )

    def resume(self, run_id: str, **options: Unpack[SyncRunOptions]) -> Report:
        """See :meth:`leadline.AsyncLeadline.resume`."""
        return self._thread.run(self._client.resume(run_id, **_asynchronous(options)))

    def read(
        self,
        source: str | os.PathLike[str] | Sequence[Page],
        question: str,
        *,
        evidence: int = 8,
        cancel: Cancellation | None = None,
    ) -> ReadResult:
        """See :meth:`leadline.AsyncLeadline.read`."""
        return self._thread.run(
            self._client.read(source, question, evidence=evidence, cancel=cancel)
        )

    def search(
        self, query: str, *, limit: int = 8, cancel: Cancellation | None = None
    ) -> list[Page]:
        """See :meth:`leadline.AsyncLeadline.search`."""
        return self._thread.run(self._client.search(query, limit=limit, cancel=cancel))

    def close(self) -> None:
        """Stop what is under way, and close what the client opened. Closing twice is no error."""
        if not self._thread.closed:
            self._thread.run(self._client.aclose())
        self._thread.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _asynchronous(options: SyncRunOptions) -> RunOptions:
    """The same options for the client that is called."""
    clarify = options.get("clarify")
    changed: RunOptions = {**options, "clarify": _asking(clarify) if clarify else None}
    return changed


def _asking(clarify: Callable[[Clarification], str | None]) -> Clarify:
    """``clarify`` beside the loop, which goes on meanwhile."""

    async def ask(clarification: Clarification) -> str | None:
        return await asyncio.to_thread(clarify, clarification)

    return ask
