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
from ..progress import Progress
from ..runtime.attention_reader import AttentionReader
from ..runtime.catalogue import ModelFiles, resolve
from ..runtime.embedder import Embedder
from ..runtime.engine import DEFAULT_CONTEXT_TOKENS, Engine
from ..runtime.llama_engine import LlamaEngine
from ..runtime.openai_engine import OpenAIEngine
from ..runtime.reader import FIRST_STAGE_IDS, FirstStageReader, Reader
from ..runtime.window_store import WindowStore
from ..settings import Settings
from ..tools.corpus_catalogue import CorpusCatalogue
from ..tools.fetch import Fetcher
from ..tools.network_guard import NetworkGuard
from ..tools.page_store import PageStore
from ..tools.passage_ranker import HybridRanker
from ..tools.rendered_fetch import BrowserRenderer
from ..tools.search.backend_choice import BackendChoice
from ..tools.search.configured import search_backends
from ..tools.search.kept_search import KeptSearch, SearchAnswers
from ..tools.search.multi_search import MultiSearch
from ..tools.web_pages import Reuse, WebPages
from .corpus_source import CorpusSource
from .page_keeping import trim
from .researcher import Researcher
from .run_store import RunStore
from .sources import Source
from .toolbox import Effort
from .web_source import WebSource

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


@asynccontextmanager
async def open_researcher(
    wishes: Wishes,
    *,
    cancel: Cancellation,
    progress: Progress,
    warn: Callable[[str], None],
) -> AsyncIterator[Researcher]:
    """A researcher whose models are loaded and whose corpora are up to date.

    Raises:
        ConfigError: a setting names something that does not exist.
        CorpusError: a corpus does not exist or holds nothing.
        ModelError: a model is not here or cannot be used.
        Cancelled: ``cancel`` was set meanwhile.
    """
    settings = wishes.settings
    async with AsyncExitStack() as stack:
        # Missing models are found out before corpora are indexed for minutes.
        engine = await open_engine(settings)
        stack.push_async_callback(engine.aclose)
        reader_files = None if settings.reader in FIRST_STAGE_IDS else resolve(settings.reader)
        store = PageStore(locations().pages)
        stack.callback(store.close)
        stack.push_async_callback(_trimmed, store, settings, warn)
        embedder = await open_embedder(settings, warn=warn)
        sources: list[Source] = []
        catalogue = CorpusCatalogue(store=store, embedder=embedder)
        for name in wishes.corpora:
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
            sources.append(CorpusSource(corpus))
        if wishes.web:
            guard = NetworkGuard(allow_hosts=settings.allow_hosts)
            reuse = Reuse(seconds=settings.reuse_seconds, offline=settings.offline)
            fetcher = await stack.enter_async_context(Fetcher(guard, cache=locations().web))
            answers = SearchAnswers(locations().web)
            stack.callback(answers.close)
            backends = [
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
            sources.append(
                WebSource(
                    MultiSearch(backends, on_warning=warn, choice=choice),
                    WebPages(fetcher, store, reuse, renderer),
                )
            )
        windows = WindowStore(disk_bytes=int(settings.window_cache_gb * 1e9), warn=warn)
        stack.callback(windows.close)
        reader = await open_reader(
            reader_files, embedder, windows, cancel=cancel, progress=progress
        )
        yield Researcher(
            engine=engine,
            reader=reader,
            sources=sources,
            pages=store,
            runs=RunStore(wishes.runs or locations().runs),
            effort=replace(wishes.effort, reading_tokens=settings.reading_tokens),
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


async def open_embedder(settings: Settings, *, warn: Callable[[str], None]) -> Embedder | None:
    """The embedder, or None where the settings want none or it is not on this machine."""
    if settings.embedder == "none":
        return None
    try:
        files = resolve(settings.embedder)
    except ModelMissing as error:
        warn(f"searching by words alone: {error}")
        return None
    return await asyncio.to_thread(Embedder, files.folder, model_id=files.id)


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
