"""Finding the heads of a decoder that look at what a question asks for.

Each head ranks the passages of a question by the attention that they get when it is asked, less
what they get when the question is "N/A"; the heads whose rankings agree best with the gold
passages (nDCG), over look-alike passages of the same question, are kept (QRHead, arXiv 2506.09944;
CoRe heads, arXiv 2510.02219).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ..cancellation import Cancellation
from ..errors import InputError
from ..progress import Progress, silent
from .decoder import Branch, Decoder
from .heads import Head, ScoredHead
from .passages import Passage
from .windows import CONTENT_FREE, Window, WindowBuilder


@dataclass(frozen=True, slots=True)
class CalibrationQuestion:
    """A question, passages in reading order, and the places of those that answer it."""

    question: str
    passages: tuple[Passage, ...]
    gold: tuple[int, ...]


def choose_heads(
    decoder: Decoder,
    windows: WindowBuilder,
    questions: Sequence[CalibrationQuestion],
    *,
    count: int = 8,
    cancel: Cancellation | None = None,
    progress: Progress = silent,
) -> list[ScoredHead]:
    """The ``count`` best heads of the decoder's layers, best first. Blocks, for minutes.

    Raises:
        InputError: there are no questions, or one has no gold passage or only gold ones.
        ReadingError: a question's passages do not fit the model's context.
        Cancelled: ``cancel`` was set meanwhile.
    """
    if not questions or any(not 0 < len(q.gold) < len(q.passages) for q in questions):
        raise InputError(
            "calibration needs questions with gold and other passages", remedy="choose other data"
        )
    heads = all_heads(decoder)
    total = torch.zeros(len(heads))
    for number, item in enumerate(questions):
        scores = passage_attention(decoder, windows, heads, item, cancel=cancel)
        total += ndcg(scores, item.gold)
        progress("choosing heads", number + 1, len(questions), "questions")
    return best_heads(heads, total / len(questions), count)


def all_heads(decoder: Decoder) -> list[Head]:
    """Every head of the layers that the decoder runs."""
    return [
        Head(layer, head)
        for layer in range(decoder.last_layer + 1)
        for head in range(decoder.config.heads)
    ]


def best_heads(heads: Sequence[Head], scores: Tensor, count: int) -> list[ScoredHead]:
    """The ``count`` heads with the highest of ``scores``, ``(heads,)``, best first."""
    best = sorted(range(len(heads)), key=lambda place: -float(scores[place]))[:count]
    return [
        ScoredHead(
            layer=heads[place].layer, head=heads[place].head, score=round(float(scores[place]), 4)
        )
        for place in best
    ]


def passage_attention(
    decoder: Decoder,
    windows: WindowBuilder,
    heads: Sequence[Head],
    item: CalibrationQuestion,
    *,
    cancel: Cancellation | None = None,
) -> Tensor:
    """``(heads, passages)``: the attention that a passage and its title get from the question
    beyond what they get from the content-free one."""
    window = windows.build(item.passages)
    bounds = _bounds(windows, window)
    [prefix] = decoder.prefill_many([window.ids], cancel=cancel)
    prefix.columns = (bounds[0], bounds[-1])
    branches = [
        Branch(tokens.ids, (0, len(tokens.ids)))
        for tokens in (windows.ask(item.question), windows.ask(CONTENT_FREE))
    ]
    [[asked, baseline]] = decoder.score_many([prefix], branches, heads=heads, cancel=cancel)
    sizes = [stop - start for start, stop in pairwise(bounds)]
    parts = torch.split(asked - baseline, sizes, dim=1)
    return torch.stack([part.sum(dim=1) for part in parts], dim=1)


def _bounds(windows: WindowBuilder, window: Window) -> list[int]:
    """Where the passages with their titles end in the window; before them, where the first begins."""
    first = window.passages[0]
    above = windows.size(first.passage) - (first.stop - first.start)
    return [first.start - above, *(placed.stop for placed in window.passages)]


def ndcg(scores: Tensor, gold: Sequence[int]) -> Tensor:
    """``(heads,)``: normalised discounted cumulative gain of each row of ``scores``, binary gains.

    Järvelin and Kekäläinen, TOIS 2002.
    """
    passages = scores.shape[1]
    discounts = 1 / torch.log2(torch.arange(passages).float() + 2)
    is_gold = torch.zeros(passages)
    is_gold[list(gold)] = 1.0
    ranked = is_gold[scores.argsort(dim=1, descending=True, stable=True)]
    return (ranked * discounts).sum(dim=1) / discounts[: len(gold)].sum()
