"""Generation with llama.cpp inside this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from ..cancellation import Cancellation, unless_cancelled
from ..errors import ConfigError, ModelError
from .batched_decoding import BatchedDecoder
from .engine import (
    DEFAULT_CONTEXT_TOKENS,
    Generation,
    GenerationRequest,
    Message,
    TextDelta,
    check_fits,
    last_generation,
)
from .gguf_header import read_header
from .llama_library import usable_cores
from .llama_model import LlamaModel
from .pending_answer import Item, PendingAnswer

T = TypeVar("T")

PARALLEL_REQUESTS: Final = 8
_WINDOWS_KEPT: Final = 2
"""Times the window whose keys and values are kept: room for requests side by side."""


@dataclass(frozen=True, slots=True)
class _Loaded:
    model: LlamaModel
    decoder: BatchedDecoder

    def close(self) -> None:
        self.decoder.close()
        self.model.close()


class LlamaEngine:
    """A GGUF file behind the :class:`~leadline.runtime.engine.Engine` protocol.

    The header is read at once, the weights at the first use or by :meth:`open`. One thread
    decodes, up to ``parallel`` requests in one batch: one that comes joins at the next step, and
    one that is cancelled or whose stream is closed leaves within a step. Memory for keys and
    values is bounded by two windows; a request that does not fit beside the others waits. Of
    prompts that begin alike, the common beginning is evaluated once and kept.

    A request that runs alone is repeatable to the letter. Beside others it may differ where two
    tokens are almost equally likely: the kernels for several rows add in another order.

    Raises:
        ConfigError: ``context_tokens``, ``threads`` or ``parallel`` is not positive.
        ModelMissing: there is no file at ``path``.
        ModelCorrupt: the file is truncated, altered or no GGUF file.
    """

    def __init__(
        self,
        path: Path,
        *,
        model_id: str | None = None,
        context_tokens: int = DEFAULT_CONTEXT_TOKENS,
        threads: int | None = None,
        parallel: int = PARALLEL_REQUESTS,
    ) -> None:
        if context_tokens < 1 or parallel < 1 or (threads is not None and threads < 1):
            raise ConfigError(
                f"a window of {context_tokens} tokens, {threads} threads and {parallel} requests "
                "at a time cannot be used",
                remedy="give positive numbers",
            )
        self._path = path
        self._header = read_header(path)
        self._threads = threads
        self._parallel = parallel
        self._loaded: _Loaded | None = None
        self._closed = Cancellation()
        self._decoding = ThreadPoolExecutor(max_workers=1, thread_name_prefix="llama-decode")
        # prompts are tokenized while others are decoded
        self._counting = ThreadPoolExecutor(max_workers=1, thread_name_prefix="llama-count")
        self.model_id = model_id or path.stem
        self.context_tokens = min(context_tokens, self._header.context_length)

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        model_id: str | None = None,
        context_tokens: int = DEFAULT_CONTEXT_TOKENS,
        threads: int | None = None,
        parallel: int = PARALLEL_REQUESTS,
    ) -> LlamaEngine:
        """An engine whose weights are loaded. Raises as the constructor does."""
        engine = await asyncio.to_thread(
            cls,
            path,
            model_id=model_id,
            context_tokens=context_tokens,
            threads=threads,
            parallel=parallel,
        )
        await engine._load()
        return engine

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        return len(await self._tokenize(messages))

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        cancel.check()
        self._check_open()
        stop = Cancellation()
        unsubscribe = (cancel.on_cancel(stop.cancel), self._closed.on_cancel(stop.cancel))
        try:
            decoder = (await unless_cancelled(self._load(), stop)).decoder
            prompt = await unless_cancelled(self._tokenize(request.messages), stop)
            check_fits(
                self.model_id,
                prompt_tokens=len(prompt),
                max_tokens=request.max_tokens,
                context_tokens=self.context_tokens,
            )
            decoded: asyncio.Queue[Item | Exception] = asyncio.Queue()
            answer = PendingAnswer(prompt, request, stop=stop, emit=_into(decoded))
            decoder.submit(answer)
            # ends when no answer is left: the answers of all streams, whoever started it
            self._submit(decoder.run)
            while True:
                item = await unless_cancelled(decoded.get(), stop)
                if isinstance(item, Exception):
                    raise item
                yield item
                if isinstance(item, Generation):
                    return
        finally:
            for forget in unsubscribe:
                forget()
            stop.cancel()

    async def generate(self, request: GenerationRequest, *, cancel: Cancellation) -> Generation:
        return await last_generation(self.stream(request, cancel=cancel))

    async def aclose(self) -> None:
        if self._closed.cancelled:
            return
        self._closed.cancel()
        await asyncio.to_thread(self._counting.shutdown)
        await asyncio.wrap_future(self._decoding.submit(self._unload))
        self._decoding.shutdown(wait=False)

    async def _tokenize(self, messages: Sequence[Message]) -> list[int]:
        model = (await self._load()).model
        return await asyncio.get_running_loop().run_in_executor(
            self._counting, model.tokenize, messages
        )

    async def _load(self) -> _Loaded:
        if self._loaded is None:
            return await asyncio.wrap_future(self._submit(self._open))
        return self._loaded

    def _open(self) -> _Loaded:
        if self._loaded is None:
            with contextlib.ExitStack() as stack:
                model = LlamaModel(self._path, self._header)
                stack.callback(model.close)
                decoder = BatchedDecoder(
                    model,
                    cells=_WINDOWS_KEPT * self.context_tokens,
                    parallel=self._parallel,
                    threads=self._threads or usable_cores(),
                )
                stack.pop_all()
            self._loaded = _Loaded(model, decoder)
        return self._loaded

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        self._check_open()
        return self._decoding.submit(work)

    def _check_open(self) -> None:
        if self._closed.cancelled:
            raise ModelError(f"the engine of {self.model_id} is closed", remedy="open it again")

    def _unload(self) -> None:
        if self._loaded is not None:
            self._loaded.close()
            self._loaded = None


def _into(queue: asyncio.Queue[Item | Exception]) -> Callable[[Item | Exception], None]:
    """Puts items into ``queue``, which is of the running loop, from another thread."""
    loop = asyncio.get_running_loop()

    def put(item: Item | Exception) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(queue.put_nowait, item)

    return put
