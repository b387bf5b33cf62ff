"""Tokens a second that a reader reads, by tier of the kernels, and how long it takes to ask again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..cancellation import Cancellation
from ..kernels import reference
from ..kernels.tiers import select
from ..progress import Progress
from ..runtime.converted_model import ConvertedModel
from ..runtime.decoder import Branch, Decoder
from ..runtime.gguf_header import read_header
from ..runtime.heads import HeadTable, find_head_table
from ..runtime.llama_context import Chunk, LlamaContext
from ..runtime.llama_library import usable_cores
from ..runtime.llama_model import LlamaModel
from ..runtime.tokenizer import TextTokenizer
from ..runtime.windows import WindowBuilder
from .rows import Row
from .timing import median_row, time_interleaved

_LLAMA = "llama.cpp, all layers"

_QUESTIONS = (
    "What happens when a generator is closed?",
    "Which statement binds names?",
    "How are default arguments evaluated?",
    "When is a finally clause executed?",
    "What does a decorator return?",
    "How is a class created?",
    "Which operators can be chained?",
    "What is a free variable?",
)


@dataclass(frozen=True, slots=True)
class ReaderBench:
    """One model's reader on the ids of a text.

    The layers up to the last that has a calibrated head are run, as in reading.
    """

    model: ConvertedModel
    model_id: str
    text: str
    weights: Path
    """The GGUF file that ``model`` was converted from, for llama.cpp."""
    windows: Sequence[int] = (1024,)
    """Tokens of a window."""
    tokens: int = 4096
    """How many are read in a round."""
    cached: int = 32768
    """How many are read once and asked again."""
    rounds: int = 3
    _ids: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ids = TextTokenizer(self.model.tokenizer).encode(self.text).ids
        wanted = max(self.tokens, self.cached, *self.windows)
        repeats = -(-wanted // len(ids))
        object.__setattr__(self, "_ids", list(ids) * repeats)

    def rows(self, *, cancel: Cancellation, progress: Progress) -> list[Row]:
        """All figures.

        Raises:
            ReadingError: no heads are known for the model, or it cannot be read with.
            Cancelled: ``cancel`` was set meanwhile.
        """
        table = find_head_table(self.model.config.source_sha256)
        decoders = self._decoders(table)
        rows = []
        for place, window in enumerate(self.windows):
            progress("reading", place, len(self.windows) + 1, "lengths")
            rows += self._read(decoders, window, cancel)
        progress("asking", len(self.windows), len(self.windows) + 1, "lengths")
        name, decoder = list(decoders.items())[-1]
        rows += self._ask(name, decoder, table, cancel)
        progress("asking", len(self.windows) + 1, len(self.windows) + 1, "lengths")
        return rows

    def _decoders(self, table: HeadTable) -> dict[str, Decoder]:
        """By the name of the method; the best last."""
        exit_layer = table.exit_layer
        found = {"torch": Decoder(self.model, last_layer=exit_layer, kernels=reference)}
        kernels = select()
        if kernels.NAME == "torch":
            return found
        found[kernels.NAME] = Decoder(self.model, last_layer=exit_layer, kernels=kernels)
        found[f"{kernels.NAME}, int8"] = Decoder(
            self.model, last_layer=exit_layer, kernels=kernels, int8_layers=range(exit_layer + 1)
        )
        return found

    def _read(self, decoders: dict[str, Decoder], window: int, cancel: Cancellation) -> list[Row]:
        windows = list(_windows(self._ids[: max(self.tokens, window)], window))
        calls: dict[str, Callable[[], object]] = {
            name: partial(decoder.prefill_many, windows, cancel=cancel)
            for name, decoder in decoders.items()
        }
        amounts = dict.fromkeys(calls, window * len(windows))
        with _llama_prefill(self.weights, self._ids, window, cancel) as prefill:
            calls[_LLAMA], amounts[_LLAMA] = prefill, window
            found = time_interleaved(calls, rounds=self.rounds, cancel=cancel)
        speeds = {method: timing.rates(amounts[method]) for method, timing in found.items()}
        set_name = f"reading, {window} tokens"
        rows = []
        for method, speed in speeds.items():
            rows.append(self._row(speed, method, set_name, "tokens a second"))
            for other in sorted({"torch", _LLAMA} - {method}):
                ratios = [own / others for own, others in zip(speed, speeds[other], strict=True)]
                rows.append(self._row(ratios, method, set_name, f"times {other}"))
        return rows

    def _ask(
        self, method: str, decoder: Decoder, table: HeadTable, cancel: Cancellation
    ) -> list[Row]:
        """Seconds to read everything once, and for one question and eight about it afterwards."""
        windows = list(_windows(self._ids[: self.cached], self.windows[0]))
        started = time.monotonic()
        prefixes = decoder.prefill_many(windows, cancel=cancel)
        first_read = time.monotonic() - started
        builder = WindowBuilder(TextTokenizer(self.model.tokenizer))
        asked = [builder.ask(question) for question in _QUESTIONS]
        branches = [Branch(tokens.ids, tokens.rows) for tokens in asked]
        heads = table.decoder_heads
        calls: dict[str, Callable[[], object]] = {
            "1 question": lambda: decoder.score_many(prefixes, branches[:1], heads=heads),
            "8 questions": lambda: decoder.score_many(prefixes, branches, heads=heads),
        }
        found = time_interleaved(calls, rounds=self.rounds, cancel=cancel)
        seconds = {"first read": [first_read]}
        seconds |= {name: list(timing.seconds) for name, timing in found.items()}
        return [
            self._row(values, method, f"{name}, {self.cached} tokens cached", "s")
            for name, values in seconds.items()
        ]

    def _row(self, values: Sequence[float], method: str, set_name: str, metric: str) -> Row:
        return median_row(
            values, method=method, model=self.model_id, set_name=set_name, metric=metric
        )


@contextmanager
def _llama_prefill(
    weights: Path, ids: Sequence[int], window: int, cancel: Cancellation
) -> Iterator[Callable[[], object]]:
    """A call in which llama.cpp evaluates a window with all layers."""
    model = LlamaModel(weights, read_header(weights))
    context = LlamaContext(model, cells=window, sequences=1, threads=usable_cores())

    def prefill() -> None:
        context.cut(0, 0)
        for start in range(0, window, context.batch_tokens):
            cancel.check()
            end = min(start + context.batch_tokens, window)
            context.evaluate([Chunk(0, ids[start:end], start, sampled=end == window)])

    try:
        yield prefill
    finally:
        context.close()
        model.close()


def _windows(ids: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids) - size + 1, size):
        yield ids[start : start + size]
