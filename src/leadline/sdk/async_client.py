"""The client for programmes with an event loop of their own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from ..agent import researcher as agent_researcher
from ..agent.assembly import Parts, Wishes, open_embedder, open_kept_reader, open_researcher
from ..agent.events import Event, Warned
from ..agent.report import Report
from ..agent.researcher import Researcher, checked_question
from ..agent.sources import Source, fuse
from ..agent.tables.schema import TableWishes
from ..budget import Limits
from ..cancellation import Cancellation
from ..errors import Cancelled, RunError
from ..evidence import Page
from ..logs import log_event
from ..progress import Progress, silent
from ..runtime.engine import Engine
from ..runtime.reader import Reader, ReadingBudget
from ..settings import Settings, load_settings
from ..tools.page_opening import pages_at
from ..tools.page_storage import PageStorage
from ..tools.page_store import PageStore
from ..tools.search.protocol import SearchBackend
from ..tools.web_pages import Reuse
from .options import OnEvent, RunOptions
from .results import ReadResult
from .streams import AsyncEventStream

T = TypeVar("T")

_GRACE_SECONDS = 2.0
"""How long a run that is stopped may take to stop by itself."""


class AsyncLeadline:
    """Researches questions, finds tables and reads texts, with models that are opened once.

    Models are opened when they are first needed and shared by everything the client does, also at
    the same time. Close the client with ``async with`` or :meth:`aclose`: runs under way are
    stopped, and can be resumed later.

    ```python
    import asyncio
    from leadline import AsyncLeadline

    async def main() -> None:
        async with AsyncLeadline(corpora=["./docs"]) as lead:
            report = await lead.run("Which pragma sets the busy timeout?")
            print(report.status, report.to_markdown())

    asyncio.run(main())
    ```

    Args:
        corpora: names of corpora, or folders, which are indexed on first use.
        web: whether to search the web; None does so where there is nothing else to search.
        engine: plans and writes, in place of the model that the settings name.
        reader: reads, in place of the model that the settings name; or that model's id.
        search: search backends for the web, in place of those that the settings name.
        sources: more to search, beside corpora and the web.
        pages: keeps the pages of the web.
        on_event: sees every event of every run; to trace, to log, to show.
        progress: told how far long work is, from any thread.
        settings: any setting by its name, over the environment and the files:
            ``model="…"``, ``endpoint="…"``, ``seconds=60``.

    What is brought along is not closed by the client: several clients may share it.

    Raises:
        ConfigError: a setting cannot be used, or there is none of that name.
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
        named = reader if isinstance(reader, str) else None
        self._settings = load_settings(reader=named, **settings)
        self._wishes = Wishes(
            settings=self._settings,
            corpora=tuple(os.fspath(corpus) for corpus in corpora),
            web=not (corpora or sources) if web is None else web,
            memory=self._settings.memory,
        )
        self._parts = Parts(
            engine=engine,
            reader=reader if not isinstance(reader, str) else None,
            search=tuple(search),
            sources=tuple(sources),
            pages=pages,
        )
        self._on_event, self._progress = on_event, progress
        self._stack = AsyncExitStack()
        self._opening = asyncio.Lock()
        self._researcher: Researcher | None = None
        self._reader: Reader | None = self._parts.reader
        self._work: dict[asyncio.Task[Any], Cancellation] = {}
        self._closed = False

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._settings

    async def run(self, question: str, **options: Unpack[RunOptions]) -> Report:
        """Research ``question`` to a report in which every claim is cited.

        A budget that runs out, and what goes wrong in part, are in the report; only what stops the
        whole run is raised. Cancelling the task stops the run within two seconds.

        Raises:
            InputError: the question is empty or too long.
            Cancelled: the run was stopped; :meth:`resume` goes on with it.
            ConfigError, CorpusError: what is to be searched cannot be.
            ModelError: a model is not here or cannot be used.
            ServiceError: the model's endpoint failed before anything was answered.
            StorageError: the disk refused.
        """
        return await self._run(
            lambda researcher, common: researcher.run(question, **common), options
        )

    def stream(self, question: str, **options: Unpack[RunOptions]) -> AsyncEventStream:
        """Research ``question``, event by event; raises as :meth:`run` does, while iterated.

        ```python
        async with lead.stream("Who opened the harbour?") as events:
            async for event in events:
                print(event.kind)
            print(events.report.markdown)
        ```

        Leaving the ``async with`` early stops the run.
        """
        inner = options.get("on_event")

        async def start(emit: OnEvent) -> Report:
            def both(event: Event) -> None:
                if inner is not None:
                    inner(event)
                emit(event)

            watched: RunOptions = {**options, "on_event": both}
            return await self.run(question, **watched)

        return AsyncEventStream(start)

    async def follow_up(self, run_id: str, question: str, **options: Unpack[RunOptions]) -> Report:
        """Research ``question`` as a run of its own over the pages of an earlier one as well.

        They are kept with what was read of them, so that this costs little.
        Raises as :meth:`run` does, and:
            RunError: there is no run ``run_id``, or several fit.
        """
        return await self._run(
            lambda researcher, common: researcher.follow_up(run_id, question, **common), options
        )

    async def table(
        self,
        query: str,
        *,
        columns: Sequence[str] = (),
        keys: Sequence[str] = (),
        **options: Unpack[RunOptions],
    ) -> Report:
        """Find the table that ``query`` asks for: ``report.table``, every cell with its source.

        ``columns`` are kept to the letter; ``keys`` are those that tell the rows apart.
        Raises as :meth:`run` does, and:
            InputError: a key is no column.
            OutputInvalid: neither the query nor the model says which columns there are.
            SearchError: no source could be searched.
        """
        wishes = TableWishes(columns=tuple(columns), keys=tuple(keys))
        return await self._run(
            lambda researcher, common: researcher.tabulate(query, wishes, **common), options
        )

    async def resume(self, run_id: str, **options: Unpack[RunOptions]) -> Report:
        """Go on with a run that was stopped, by its id or the end of it; ``last`` is the latest.

        Raises as :meth:`run` does, and:
            RunError: there is no such run, or several fit.
        """
        return await self._run(
            lambda researcher, common: researcher.resume(run_id, **common), options
        )

    async def read(
        self,
        source: str | os.PathLike[str] | Sequence[Page],
        question: str,
        *,
        evidence: int = 8,
        cancel: Cancellation | None = None,
    ) -> ReadResult:
        """What a file, a folder, a web page or ``Page`` objects say to ``question``.

        Nothing is written by a model: the result quotes. ``evidence`` is how many quotes at most.

        Raises:
            InputError: there is nothing at ``source``, or the question is empty.
            ExtractionError: the file has no text.
            FetchError: the address cannot be fetched.
            ModelError, ReadingError: the reader cannot be used.
            Cancelled: ``cancel`` was set.
        """
        question = checked_question(question)

        async def work(stop: Cancellation) -> ReadResult:
            reader = await self._open_reader(stop)
            pages, unreadable = await self._pages_of(source, stop)
            [reading] = await reader.read(
                [question],
                pages,
                budget=ReadingBudget(
                    window_tokens=self._settings.reading_tokens, evidence=evidence
                ),
                cancel=stop,
                progress=self._progress,
            )
            return ReadResult.of(
                question,
                reading,
                {page.page_id: page for page in pages},
                reader=reader.model_id,
                unreadable=unreadable,
            )

        return await self._supervised(work, cancel)

    async def search(
        self, query: str, *, limit: int = 8, cancel: Cancellation | None = None
    ) -> list[Page]:
        """Pages for ``query`` from everything that this client searches, best first.

        Raises:
            SearchError: a source could not be searched.
            Cancelled: ``cancel`` was set.
        """

        async def work(stop: Cancellation) -> list[Page]:
            researcher = await self._open(stop)
            found = await asyncio.gather(
                *(source.find(query, limit=limit, cancel=stop) for source in researcher.sources)
            )
            for warning in (warning for each in found for warning in each.warnings):
                _warn(warning)
            return fuse([each.pages for each in found], limit=limit)

        return await self._supervised(work, cancel)

    async def aclose(self) -> None:
        """Stop what is under way, and close what the client opened. Closing twice is no error."""
        self._closed = True
        for cancel in self._work.values():
            cancel.cancel()
        await _stopped(list(self._work))
        await self._stack.aclose()
        self._researcher = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _run(
        self,
        begin: Callable[[Researcher, agent_researcher.RunOptions], Awaitable[Report]],
        options: RunOptions,
    ) -> Report:
        told = [each for each in (self._on_event, options.get("on_event")) if each is not None]

        def on_event(event: Event) -> None:
            log_event(event)
            for tell in told:
                tell(event)

        async def work(stop: Cancellation) -> Report:
            researcher = await self._open(stop)
            common: agent_researcher.RunOptions = {
                "limits": options.get("limits") or Limits(seconds=self._settings.seconds),
                "cancel": stop,
                "on_event": on_event,
                "progress": self._progress,
                "steering": options.get("steering"),
                "clarify": options.get("clarify"),
            }
            return await begin(researcher, common)

        return await self._supervised(work, options.get("cancel"))

    async def _supervised(
        self,
        work: Callable[[Cancellation], Coroutine[Any, Any, T]],
        cancel: Cancellation | None,
    ) -> T:
        """The outcome of ``work``, which is asked to stop before it is made to.

        It is when ``cancel`` is set, when the caller's task is cancelled, and when the client is
        closed.
        """
        if self._closed:
            raise RunError("this client is closed", remedy="open another")
        stop = Cancellation()
        forget = cancel.on_cancel(stop.cancel) if cancel is not None else lambda: None
        task = asyncio.create_task(work(stop))
        self._work[task] = stop
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            stop.cancel()
            await _stopped([task])
            if asyncio.current_task().cancelling():  # type: ignore[union-attr]
                raise
            raise Cancelled("the client was closed", remedy="resume the run") from None
        finally:
            forget()
            del self._work[task]

    async def _open(self, cancel: Cancellation) -> Researcher:
        """The researcher, opened once; who comes meanwhile waits for it."""
        async with self._opening:
            if self._researcher is None:
                self._researcher = await self._stack.enter_async_context(
                    open_researcher(
                        self._wishes,
                        replace(self._parts, reader=self._reader),
                        cancel=cancel,
                        progress=self._progress,
                        warn=_warn,
                    )
                )
                self._reader = self._researcher.reader
            return self._researcher

    async def _open_reader(self, cancel: Cancellation) -> Reader:
        """The reader alone: reading needs no model that writes."""
        async with self._opening:
            if self._reader is None:
                embedder = await open_embedder(self._settings, warn=_warn)
                self._reader = await self._stack.enter_async_context(
                    open_kept_reader(
                        self._settings,
                        embedder,
                        cancel=cancel,
                        progress=self._progress,
                        warn=_warn,
                    )
                )
            return self._reader

    async def _pages_of(
        self, source: str | os.PathLike[str] | Sequence[Page], cancel: Cancellation
    ) -> tuple[Sequence[Page], tuple[str, ...]]:
        """The pages to read, and what had to be left out."""
        if not isinstance(source, str | os.PathLike):
            return source, ()
        store = await asyncio.to_thread(PageStore)
        try:
            found = await pages_at(
                os.fspath(source),
                store,
                allow_hosts=self._settings.allow_hosts,
                reuse=Reuse(seconds=self._settings.reuse_seconds, offline=self._settings.offline),
                cancel=cancel,
                progress=self._progress,
            )
        finally:
            store.close()
        return found.pages, tuple(f"{file.path}: {file.problem}" for file in found.unreadable)


async def _stopped(tasks: list[asyncio.Task[Any]]) -> None:
    """Wait for tasks that were asked to stop; those that do not are cancelled."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=_GRACE_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _warn(message: str) -> None:
    log_event(Warned(message=message))
