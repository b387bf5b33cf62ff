"""The methods of ``runtime`` that read by attention or likelihood, as they are measured."""

from __future__ import annotations

from collections.abc import Sequence

from ..cancellation import Cancellation
from ..progress import Progress, silent
from ..runtime.attention_reader import AttentionReader, attention_method, open_decoder
from ..runtime.catalogue import resolve
from ..runtime.gguf_weights import convert
from ..runtime.infiniretri import InfiniRetri
from ..runtime.infiniretri_reader import InfiniRetriReader
from ..runtime.last_layer import LastLayer
from ..runtime.likelihood import LikelihoodRanker
from ..runtime.passages import Passage
from ..runtime.tokenizer import TextTokenizer
from ..threads import in_thread
from .bench import Bench
from .reading_method import RankerMethod, ReaderMethod, ReadingMethod


class AttentionMethod(ReaderMethod):
    """In one window the attention of the heads alone; over a pool the rounds of the reader."""

    def __init__(self, name: str, reader: AttentionReader, *, window_tokens: int) -> None:
        super().__init__(name, reader, window_tokens=window_tokens)
        self._attention = reader

    async def rank(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[float]:
        return await self._attention.rank(question, passages, cancel=cancel)


class InfiniRetriMethod(ReaderMethod):
    """In one window the last layer's scores of each passage; over a pool the reader's sentences."""

    def __init__(
        self, name: str, method: InfiniRetri, reader: InfiniRetriReader, *, window_tokens: int
    ) -> None:
        super().__init__(name, reader, window_tokens=window_tokens)
        self._in_one_window = RankerMethod(name, reader.model_id, method)

    async def rank(
        self,
        question: str,
        passages: Sequence[Passage],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[float]:
        return await self._in_one_window.rank(question, passages, cancel=cancel, progress=progress)


async def open_attention(name: str, bench: Bench) -> ReadingMethod:
    """``heads`` or ``icr`` on the model that reads; ``heads+likelihood`` is all that the reader
    does, in one window as well.

    Raises:
        ModelError: it is not here or cannot be used.
        ReadingError: it has no head table.
    """
    settings = bench.settings
    method, _, likelihood = name.partition("+")
    reader = await AttentionReader.open(
        resolve(settings.reader),
        await bench.first_stage(),
        method=method,
        likelihood=bool(likelihood),
        cancel=bench.cancel,
        progress=bench.progress,
    )
    kind = ReaderMethod if likelihood else AttentionMethod
    return kind(name, reader, window_tokens=settings.reading_tokens)


async def open_infiniretri(name: str, bench: Bench) -> ReadingMethod:
    """InfiniRetri on the model that reads; over a pool it is given what the first stage finds best.

    Raises:
        ModelError: the model is not here or cannot be used.
    """
    files = resolve(bench.settings.reader)
    ranker = await bench.first_stage()

    def work(stop: Cancellation) -> InfiniRetriMethod:
        model = convert(files.weights, sha256=files.sha256, cancel=stop, progress=bench.progress)
        tokenizer = TextTokenizer(model.tokenizer)
        method = InfiniRetri(LastLayer(model), tokenizer)
        reader = InfiniRetriReader(method, tokenizer, model_id=files.id, ranker=ranker)
        return InfiniRetriMethod(name, method, reader, window_tokens=bench.settings.reading_tokens)

    return await in_thread(work, cancel=bench.cancel)


async def open_likelihood(name: str, bench: Bench) -> ReadingMethod:
    """Query likelihood on the model that reads.

    Raises:
        ModelError: it is not here or cannot be used.
        ReadingError: it has no head table, which says what may be int8.
    """
    files = resolve(bench.settings.reader)

    def work(stop: Cancellation) -> LikelihoodRanker:
        model = convert(files.weights, sha256=files.sha256, cancel=stop, progress=bench.progress)
        decoder = open_decoder(model, attention_method(model, "heads"), likelihood=True)
        return LikelihoodRanker(decoder, TextTokenizer(model.tokenizer))

    ranker = await in_thread(work, cancel=bench.cancel)
    return RankerMethod(name, files.id, ranker)
