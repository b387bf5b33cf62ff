"""Which heads are asked, by which rows, and what of their attention counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from .converted_model import DecoderConfig
from .heads import Head, HeadTable

_DEVIATIONS = 2.0
_SINK_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class AttentionMethod:
    """Heads whose attention is summed, less what the content-free question attracts.

    The subtraction is ICR's (arXiv 2410.02642).
    """

    name: str
    heads: tuple[Head, ...]
    int8_layers: tuple[int, ...] = ()
    """Layers that may be int8 without changing what these heads find."""
    rows: Literal["question", "all"] = "all"
    """Rows that are asked: the question's own, or also the instruction's and the turn's end."""
    drop_low: bool = False
    """Leave out columns two deviations below their passage's mean, as ICR does."""
    drop_sinks: bool = False
    """Leave sinks out of the scores, not out of the softmax (after ACT, arXiv 2406.15765). Columns
    that attract much unasked often are the telling ones as well: it costs more than it gains."""

    @property
    def exit_layer(self) -> int:
        """The last layer that has to run."""
        return max(head.layer for head in self.heads)

    def column_scores(self, asked: Tensor, content_free: Tensor) -> Tensor:
        """``(columns,)``: how much each column bears on the question.

        Args:
            asked, content_free: ``(heads, columns)``: attention of the question's rows and of the
                content-free one's.
        """
        excess = (asked - content_free).sum(dim=0)
        if not self.drop_sinks:
            return excess
        return excess.masked_fill(content_free.mean(dim=0) > _SINK_SHARE, 0.0)

    def passage_score(self, columns: Tensor) -> float:
        """The sum over the column scores of a passage."""
        if not self.drop_low or len(columns) < 2:
            return float(columns.sum())
        floor = columns.mean() - _DEVIATIONS * columns.std()
        return float(columns[columns > floor].sum())


def calibrated_heads(table: HeadTable) -> AttentionMethod:
    """A few heads of the middle layers (QRHead, arXiv 2506.09944): the default."""
    heads = tuple(table.decoder_heads)
    return AttentionMethod("heads", heads, int8_layers=table.int8_layers)


def in_context_reranking(config: DecoderConfig) -> AttentionMethod:
    """Every head of every layer (ICR, arXiv 2410.02642)."""
    return AttentionMethod("icr", tuple(_all_heads(config)), drop_low=True)


def _all_heads(config: DecoderConfig) -> Iterable[Head]:
    return (Head(layer, head) for layer in range(config.layers) for head in range(config.heads))
