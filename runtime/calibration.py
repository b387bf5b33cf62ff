"""Finding the heads of a decoder that look at what a question asks for.

Each head ranks the passages of a question by the attention that their best token gets from the
question's tokens, less what it gets when the question is "N/A"; the heads whose rankings agree best with the gold
passages (nDCG), over look-alike passages of the same question, are kept (QRHead, arXiv 2506.09944;
CoRe heads, arXiv 2510.02219).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..cancellation import Cancellation
from ..errors import InputError
from ..progress import Progress, silent
from .decoder import Decoder
from .heads import Head, ScoredHead
from .passages import Passage
from .windows import CONTENT_FREE, WindowBuilder


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
    count: int = 6,
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
    heads = [
        Head(layer, head)
        for layer in range(decoder.last_layer + 1)
        for head in range(decoder.config.heads)
    ]
    total = torch.zeros(len(heads))
    for number, item in enumerate(questions):
        scores = passage_attention(decoder, windows, heads, item, cancel=cancel)
        total += ndcg(scores, item.gold)
        progress("choosing heads", number + 1, len(questions), "questions")
    quality = total / len(questions)
    best = sorted(range(len(heads)), key=lambda place: -float(quality[place]))[:count]
    return [
        ScoredHead(
            layer=heads[place].layer, head=heads[place].head, score=round(float(quality[place]), 4)
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
    """``(heads, passages)``: the most attention that one of a passage's columns gets from the
    question beyond what it gets from the content-free one."""
    window = windows.build(item.passages)
    prefix = decoder.prefill(window.ids, cancel=cancel)
    asked, baseline = (
        decoder.score(
            prefix,
            tokens.ids,
            heads=heads,
            columns=window.columns,
            rows=tokens.rows,
            cancel=cancel,
        )
        for tokens in (windows.ask(item.question), windows.ask(CONTENT_FREE))
    )
    excess, first = asked - baseline, window.columns[0]
    peaks = [excess[:, p.start - first : p.stop - first].amax(dim=1) for p in window.passages]
    return torch.stack(peaks, dim=1)


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
