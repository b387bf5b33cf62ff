"""Which layers of a decoder may multiply in int8 without changing what a reader finds.

Activations of some layers have outliers that int8 rounds away (LLM.int8(), arXiv 2208.07339). What
counts is not the error of a product but the evidence: the best passages must stay the same.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..cancellation import Cancellation
from ..errors import ReadingError
from ..kernels.tiers import Kernels
from ..progress import Progress, silent
from .attention_method import AttentionMethod
from .decoder import Branch, Decoder
from .windows import CONTENT_FREE, Window, WindowBuilder

TARGET = 0.95
"""Of the best passages, the share that must be the same, on average."""

_BEST = 5


@dataclass(frozen=True, slots=True)
class Sample:
    """A window and a question about it."""

    window: Window
    question: str


@dataclass(frozen=True, slots=True)
class Int8Choice:
    """The layers that may be int8, and what share of the best passages stays with them."""

    layers: tuple[int, ...]
    overlap: float


def usable_int8_layers(
    method: AttentionMethod, last_layer: int, kernels: Kernels
) -> tuple[int, ...]:
    """The method's int8 layers up to ``last_layer``; none where int8 would not be faster."""
    if not kernels.INT8_IS_FAST:
        return ()
    return tuple(layer for layer in method.int8_layers if layer <= last_layer)


def choose_int8_layers(
    open_decoder: Callable[[Collection[int]], Decoder],
    builder: WindowBuilder,
    method: AttentionMethod,
    samples: Sequence[Sample],
    *,
    target: float = TARGET,
    cancel: Cancellation,
    progress: Progress = silent,
) -> Int8Choice:
    """As many layers as keep the evidence: all, else all but those that change it most alone.

    Args:
        open_decoder: the decoder with these layers in int8, of at least ``method.exit_layer``.

    Raises:
        ReadingError: there are no samples.
        Cancelled: ``cancel`` was set meanwhile.
    """
    if not samples:
        raise ReadingError("no windows to try int8 on", remedy="give some text")
    layers = range(method.exit_layer + 1)
    # All layers together, each alone, and at most all but one again.
    steps = 2 * len(layers) + 1

    def best_passages(chosen: Collection[int]) -> list[list[int]]:
        decoder = open_decoder(chosen)
        return [_best(decoder, builder, method, sample, cancel) for sample in samples]

    exact = best_passages(())

    def overlap(chosen: Collection[int]) -> float:
        found = best_passages(chosen)
        shares = [len({*a} & {*b}) / len(a) for a, b in zip(exact, found, strict=True)]
        return sum(shares) / len(shares)

    progress("trying int8", 0, steps, "choices")
    chosen = tuple(layers)
    reached = overlap(chosen)
    if reached >= target:
        return Int8Choice(chosen, reached)
    alone = {}
    for layer in layers:
        alone[layer] = overlap((layer,))
        progress("trying int8", layer + 1, steps, "choices")
    # Of equals the earlier layer goes first: its error runs through all the others.
    for tried, worst in enumerate(sorted(layers, key=lambda layer: (alone[layer], layer))):
        chosen = tuple(layer for layer in chosen if layer != worst)
        reached = overlap(chosen) if chosen else 1.0
        progress("trying int8", len(layers) + tried + 1, steps, "choices")
        if reached >= target:
            break
    return Int8Choice(chosen, reached)


def _best(
    decoder: Decoder,
    builder: WindowBuilder,
    method: AttentionMethod,
    sample: Sample,
    cancel: Cancellation,
) -> list[int]:
    """Places of the best passages of the sample's window."""
    [prefix] = decoder.prefill_many([sample.window.ids], cancel=cancel)
    prefix.columns = sample.window.columns
    branches = []
    for question in (sample.question, CONTENT_FREE):
        tokens = builder.ask(question)
        rows = tokens.rows if method.rows == "question" else (0, len(tokens.ids))
        branches.append(Branch(tokens.ids, rows))
    [[asked, unasked]] = decoder.score_many([prefix], branches, heads=method.heads, cancel=cancel)
    scores = _passage_scores(method, sample.window, asked, unasked)
    return sorted(range(len(scores)), key=lambda place: (-scores[place], place))[:_BEST]


def _passage_scores(
    method: AttentionMethod, window: Window, asked: Tensor, unasked: Tensor
) -> list[float]:
    columns = method.column_scores(asked, unasked)
    return [method.passage_score(part) for part in window.titled_parts(columns)]
