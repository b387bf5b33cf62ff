"""Puts a researcher together from settings: opens models, corpora and the web, and closes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..cancellation import Cancellation
from ..errors import LeadlineError, ModelMissing
from ..locations import locations
from ..progress import Progress, silent, told
from ..runtime.attention_reader import AttentionReader
from ..runtime.catalogue import ModelFiles, model_state, resolve
from ..runtime.catalogue_entries import CATALOGUE
from ..runtime.embedder import Embedder
from ..runtime.engine import DEFAULT_CONTEXT_TOKENS, Engine
from ..runtime.llama_engine import LlamaEngine
from ..runtime.openai_engine import OpenAIEngine
from ..runtime.reader import FIRST_STAGE_IDS, FirstStageReader, Reader
from ..runtime.window_store import WindowStore
from ..settings import Settings
from ..tools.corpus import Corpus
from ..tools.corpus_catalogue import CorpusCatalogue
from ..tools.fetch import Fetcher
from ..tools.network_guard import NetworkGuard
from ..tools.page_storage import EitherStore, PageStorage
from ..tools.page_store import PageStore
from ..tools.passage_ranker import HybridRanker
from ..tools.rendered_fetch import BrowserRenderer
from ..tools.search.backend_choice import BackendChoice
from ..tools.search.configured import search_backends
from ..tools.search.kept_search import KeptSearch, SearchAnswers
from ..tools.search.multi_search import MultiSearch
from ..tools.search.protocol import SearchBackend
from ..tools.web_pages import Reuse, WebPages
from .corpus_source import CorpusSource
from .memory import Memory
from .memory_source import MEMORY, MemorySource
from .page_keeping import trim
from .researcher import Researcher
from .run_store import RunRecord, RunStore, open_runs
from .sources import Source
from .toolbox import Effort
from .web_source import WEB, WebSource

_EMBEDDED_WHILE_ASKING = 800
"""Passages that a question waits for; about a minute on two cores."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a user wants to search, and with what."""

    settings: Settings
    corpora: Sequence[str] = ()
    """Names of corpora, or directories to index as such."""
    web: bool = False
    effort: Effort = field(default_factory=Effort)
    """How hard to try; the tokens to read come from the settings."""
    runs: Path | None = None
    """Where runs are kept; None is with the user's others."""
    memory: bool = False
    """Offer the pages that earlier runs rested on, where the web is searched."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What a programme brings along in place of what the settings name, and closes itself."""

    engine: Engine | None = None
    reader: Reader | None = None
    search: Sequence[SearchBackend] = ()
    """Backends to ask where the web is searched; their results are not kept."""
    sources: Sequence[Source] = ()
    """Searched beside corpora and the web."""
    pages: PageStorage | None = None
    """Keeps the pages of the web; those of corpora and files are on this machine all the same."""


def wishes_of(record: RunRecord, settings: Settings) -> Wishes:
    """What the user of a kept run wanted to search."""
    return Wishes(
        settings=settings,
        corpora=tuple(name for name in record.sources if name not in (WEB, MEMORY)),
        web=WEB in record.sources,
        memory=MEMORY in record.sources,
    )


@asynccontextmanager
async def open_researcher(
    wishes: Wishes,
    parts: Parts = Parts(),
    *,
    cancel: Cancellation,
    progress: Progress,
    warn: Callable[[str], None],
) -> AsyncIterator[Researcher]:
    """A researcher whose models are loaded and whose corpora are up to date.

    It may run many questions at once, which share its models.

    Raises:
        ConfigError: a setting names something that does not exist.
        CorpusError: a corpus does not exist or holds nothing.
        ModelError: a model is not here or cannot be used.
        Cancelled: ``cancel`` was set meanwhile.
    """
    settings = wishes.settings
    effort = replace(wishes.effort, reading_tokens=settings.reading_tokens)
    async with AsyncExitStack() as stack:
        # Missing models are found out before corpora are indexed for minutes.
        engine = parts.engine
        if engine is None:
            with told(progress, f"opening {settings.model}"):
                engine = await open_engine(settings)
            stack.push_async_callback(engine.aclose)
        if parts.reader is None and settings.reader not in FIRST_STAGE_IDS:
            resolve(settings.reader)
        alone = parts.engine is not None or wishes.effort.routing == "off"
        others = [] if alone else other_engines(settings)
        for other in others:
            stack.push_async_callback(other.aclose)
        store = PageStore(locations().pages)
        stack.callback(store.close)
        stack.push_async_callback(_trimmed, store, settings, warn)
        pages = store if parts.pages is None else EitherStore(parts.pages, store)
        embedder = None
        if parts.reader is None or wishes.corpora:
            embedder = await open_embedder(settings, progress=progress, warn=warn)
        catalogue = CorpusCatalogue(store=store, embedder=embedder)
        corpora = await _corpora(
            wishes.corpora, catalogue, stack, cancel=cancel, progress=progress, warn=warn
        )
        least = effort.reading_characters
        sources: list[Source] = [
            *parts.sources,
            *(CorpusSource(corpus, least_characters=least) for corpus in corpora),
        ]
        if wishes.web:
            sources.append(await _web(settings, parts, pages, embedder, stack, warn=warn))
            if wishes.memory:
                memory = Memory(locations().memory, embedder=embedder)
                stack.callback(memory.close)
                sources.append(MemorySource(memory, RunStore(locations().runs), store))
        reader = parts.reader
        if reader is None:
            reader = await stack.enter_async_context(
                open_kept_reader(settings, embedder, cancel=cancel, progress=progress, warn=warn)
            )
        yield Researcher(
            engine=engine,
            reader=reader,
            sources=sources,
            pages=pages,
            runs=open_runs(settings, wishes.runs),
            effort=effort,
            others=others,
            embedder=embedder,
        )


async def _corpora(
    names: Sequence[str],
    catalogue: CorpusCatalogue,
    stack: AsyncExitStack,
    *,
    cancel: Cancellation,
    progress: Progress,
    warn: Callable[[str], None],
) -> list[Corpus]:
    """The corpora, brought up to date; ``stack`` closes them."""
    corpora = []
    for name in names:
        corpus = catalogue.open_any(name)
        stack.callback(corpus.close)
        if corpus.manifest.kind == "folder":
            report = await corpus.update(
                embed_at_most=_EMBEDDED_WHILE_ASKING, cancel=cancel, progress=progress
            )
            if report.unembedded:
                warn(
                    f"{corpus.name} is searched by words: {report.unembedded:,} passages have "
                    f"no vectors yet; `leadline corpus add {corpus.name} "
                    f"{corpus.manifest.origin}` makes them"
                )
        corpora.append(corpus)
    return corpora


async def _web(
    settings: Settings,
    parts: Parts,
    pages: PageStorage,
    embedder: Embedder | None,
    stack: AsyncExitStack,
    *,
    warn: Callable[[str], None],
) -> WebSource:
    """The web, searched and fetched as the settings say; ``stack`` closes what it opens."""
    guard = NetworkGuard(allow_hosts=settings.allow_hosts)
    reuse = Reuse(seconds=settings.reuse_seconds, offline=settings.offline)
    fetcher = await stack.enter_async_context(Fetcher(guard, cache=locations().web))
    answers = SearchAnswers(locations().web)
    stack.callback(answers.close)
    backends = parts.search or [
        KeptSearch(backend, answers, reuse) for backend in search_backends(settings)
    ]
    choice = None
    if settings.backends_per_question:
        choice = BackendChoice(HybridRanker(embedder), settings.backends_per_question)
    renderer = None
    if settings.render == "needed":
        renderer = await stack.enter_async_context(
            BrowserRenderer(fetcher, executable=settings.browser)
        )
    return WebSource(
        MultiSearch(backends, on_warning=warn, choice=choice),
        WebPages(fetcher, pages, reuse, renderer),
    )


async def _trimmed(store: PageStore, settings: Settings, warn: Callable[[str], None]) -> None:
    """Keep the page store within its bounds; that it fails must not cost the report."""
    try:
        await asyncio.to_thread(trim, store, max_bytes=int(settings.page_store_gb * 1e9))
    except LeadlineError as error:
        warn(f"no pages were dropped: {error}")


async def open_engine(settings: Settings) -> Engine:
    """The engine that the settings name: the endpoint if there is one, else llama.cpp."""
    if settings.endpoint:
        key = settings.endpoint_key
        return await OpenAIEngine.open(
            settings.endpoint,
            settings.model,
            api_key=key.get_secret_value() if key else None,
            context_tokens=settings.context_tokens,
        )
    files = resolve(settings.model)
    window = settings.context_tokens or DEFAULT_CONTEXT_TOKENS
    return await LlamaEngine.open(files.path, model_id=files.id, context_tokens=window)


def other_engines(settings: Settings) -> list[Engine]:
    """Engines of the other generators that are on this machine; their weights load on first use.

    None beside an endpoint, whose server decides which models there are.
    """
    if settings.endpoint:
        return []
    window = settings.context_tokens or DEFAULT_CONTEXT_TOKENS
    ready = [
        resolve(entry.id)
        for entry in CATALOGUE.values()
        if entry.kind == "generator"
        and entry.id != settings.model
        and model_state(entry).word in ("ready", "unchecked")
    ]
    return [LlamaEngine(f.path, model_id=f.id, context_tokens=window) for f in ready]


async def open_embedder(
    settings: Settings, *, progress: Progress = silent, warn: Callable[[str], None]
) -> Embedder | None:
    """The embedder, or None where the settings want none or it is not on this machine."""
    if settings.embedder == "none":
        return None
    try:
        files = resolve(settings.embedder)
    except ModelMissing as error:
        warn(f"searching by words alone: {error}")
        return None
    with told(progress, f"opening {files.id}"):
        return await asyncio.to_thread(Embedder, files.folder, model_id=files.id)


@asynccontextmanager
async def open_kept_reader(
    settings: Settings,
    embedder: Embedder | None,
    *,
    cancel: Cancellation,
    progress: Progress,
    warn: Callable[[str], None],
) -> AsyncIterator[Reader]:
    """The reader that the settings name, which keeps what it reads for the next question.

    Raises:
        ModelError: its model is not here or cannot be used.
        Cancelled: ``cancel`` was set meanwhile.
    """
    files = None if settings.reader in FIRST_STAGE_IDS else resolve(settings.reader)
    windows = WindowStore(disk_bytes=int(settings.window_cache_gb * 1e9), warn=warn)
    try:
        yield await open_reader(files, embedder, windows, cancel=cancel, progress=progress)
    finally:
        windows.close()


async def open_reader(
    files: ModelFiles | None,
    embedder: Embedder | None,
    windows: WindowStore | None = None,
    *,
    cancel: Cancellation,
    progress: Progress,
) -> Reader:
    """The attention reader of a model, or the first stage alone if ``files`` is None.

    ``windows`` keeps what is read of pages for the next question; its owner closes it.
    """
    ranker = HybridRanker(embedder)
    if files is None:
        return FirstStageReader(ranker)
    return await AttentionReader.open(
        files, ranker, store=windows, cancel=cancel, progress=progress
    )
