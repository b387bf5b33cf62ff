"""Generation with llama.cpp inside this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from ..cancellation import Cancellation, unless_cancelled
from ..errors import ConfigError, ModelError
from .decoded_text import DecodedText
from .engine import (
    DEFAULT_CONTEXT_TOKENS,
    FinishReason,
    Generation,
    GenerationRequest,
    Message,
    TextDelta,
    TokenLikelihood,
    check_fits,
    last_generation,
)
from .gguf_header import read_header
from .llama_library import usable_cores
from .llama_model import LlamaModel

T = TypeVar("T")
Item = TextDelta | Generation


class LlamaEngine:
    """A GGUF file behind the :class:`~leadline.runtime.engine.Engine` protocol.

    The header is read at once, the weights at the first use or by :meth:`open`. One thread
    decodes, one request at a time, in the order in which they came; a request that waits or runs
    ends as soon as it is cancelled or its stream is closed. Requests that begin alike should
    follow each other: the keys and values of the common beginning are kept.

    Raises:
        ConfigError: ``context_tokens`` or ``threads`` is not positive.
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
    ) -> None:
        if context_tokens < 1 or (threads is not None and threads < 1):
            raise ConfigError(
                f"a window of {context_tokens} tokens and {threads} threads cannot be used",
                remedy="give positive numbers",
            )
        self._path = path
        self._header = read_header(path)
        self._threads = threads
        self._model: LlamaModel | None = None
        self._closed = Cancellation()
        self._decoding = ThreadPoolExecutor(max_workers=1, thread_name_prefix="llama-decode")
        # counting does not wait for the requests that are being decoded
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
    ) -> LlamaEngine:
        """An engine whose weights are loaded. Raises as the constructor does."""
        engine = await asyncio.to_thread(
            cls, path, model_id=model_id, context_tokens=context_tokens, threads=threads
        )
        await asyncio.wrap_future(engine._submit(engine._loaded))
        return engine

    async def count_tokens(self, messages: Sequence[Message]) -> int:
        model = self._model
        if model is None:
            model = await asyncio.wrap_future(self._submit(self._loaded))
        tokens = await asyncio.get_running_loop().run_in_executor(
            self._counting, model.tokenize, messages
        )
        return len(tokens)

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation
    ) -> AsyncIterator[TextDelta | Generation]:
        cancel.check()
        loop = asyncio.get_running_loop()
        decoded: asyncio.Queue[Item | Exception | None] = asyncio.Queue()
        stop = Cancellation()

        def emit(item: Item | Exception | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(decoded.put_nowait, item)

        unsubscribe = (cancel.on_cancel(stop.cancel), self._closed.on_cancel(stop.cancel))
        job = self._submit(lambda: self._run(request, stop, emit))
        try:
            while (item := await unless_cancelled(decoded.get(), stop)) is not None:
                if isinstance(item, Exception):
                    raise item
                yield item
        finally:
            for forget in unsubscribe:
                forget()
            stop.cancel()
            job.cancel()

    async def generate(self, request: GenerationRequest, *, cancel: Cancellation) -> Generation:
        return await last_generation(self.stream(request, cancel=cancel))

    async def aclose(self) -> None:
        if self._closed.cancelled:
            return
        self._closed.cancel()
        await asyncio.to_thread(self._counting.shutdown)
        await asyncio.wrap_future(self._decoding.submit(self._unload))
        self._decoding.shutdown(wait=False)

    def _submit(self, work: Callable[[], T]) -> Future[T]:
        if self._closed.cancelled:
            raise ModelError(f"the engine of {self.model_id} is closed", remedy="open it again")
        return self._decoding.submit(work)

    def _unload(self) -> None:
        if self._model is not None:
            self._model.close()
            self._model = None

    def _run(
        self,
        request: GenerationRequest,
        stop: Cancellation,
        emit: Callable[[Item | Exception | None], None],
    ) -> None:
        try:
            self._decode(request, stop, emit)
            emit(None)
        except Exception as error:  # noqa: BLE001 it crosses to the stream that waits for it
            emit(error)

    def _decode(
        self, request: GenerationRequest, stop: Cancellation, emit: Callable[[Item], None]
    ) -> None:
        stop.check()
        model = self._loaded()
        prompt = model.tokenize(request.messages)
        check_fits(
            self.model_id,
            prompt_tokens=len(prompt),
            max_tokens=request.max_tokens,
            context_tokens=self.context_tokens,
        )
        text = DecodedText(request.stop)
        deltas: list[str] = []
        completion_tokens = 0
        finish_reason: FinishReason = "length"

        def send(delta: str) -> None:
            if delta:
                deltas.append(delta)
                emit(TextDelta(delta))

        first_tokens: list[TokenLikelihood] = []
        for piece in model.decode(prompt, request, stop, first_tokens.extend):
            if piece is None:
                finish_reason = "stop"
                break
            completion_tokens += 1
            send(text.feed(piece))
            if text.ended:
                break
        stop.check()
        send(text.finish())
        if text.ended:
            finish_reason = "stop"
        emit(
            Generation(
                "".join(deltas),
                len(prompt),
                completion_tokens,
                finish_reason,
                tuple(first_tokens),
            )
        )

    def _loaded(self) -> LlamaModel:
        if self._model is None:
            self._model = LlamaModel(
                self._path,
                self._header,
                context_tokens=self.context_tokens,
                threads=self._threads or usable_cores(),
            )
        return self._model
