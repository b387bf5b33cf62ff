"""Ranking passages by how much they make a model expect the question.

Query likelihood without training, as UPR (Sachan et al., EMNLP 2022, arXiv 2204.07496) and
open-source language models used alike (arXiv 2310.13243).
"""

from __future__ import annotations

from collections.abc import Sequence

from ..cancellation import Cancellation
from ..progress import Progress, silent
from .converted_model import ConvertedModel
from .decoder import Branch, Decoder
from .tokenizer import TextTokenizer
from .turns import Turns

_BEFORE = "Document: "
_INSTRUCTION = "\n\nRead the document above and write a question that it answers.\nQuestion:"
_TOGETHER = 16
"""Passages whose keys and values are held at once."""
_PASSAGE_TOKENS = 512
"""Of a passage that are read."""


class LikelihoodRanker:
    """A :class:`~.reader.PassageRanker` on all layers of a decoder and its output.

    Safe from any thread: calls take turns.
    """

    def __init__(self, decoder: Decoder, tokenizer: TextTokenizer) -> None:
        self._decoder = decoder
        self._tokenizer = tokenizer
        self._turns = Turns()

    @classmethod
    def load(cls, model: ConvertedModel) -> LikelihoodRanker:
        """Load all layers. Blocks.

        Raises:
            ModelCorrupt: a tensor is missing or has the wrong shape.
        """
        decoder = Decoder(model, last_layer=model.config.layers - 1, likelihood=True)
        return cls(decoder, TextTokenizer(model.tokenizer))

    def rank(
        self,
        question: str,
        passages: Sequence[str],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[float]:
        """The mean log probability of the question's tokens after each passage. Blocks.

        Raises:
            ReadingError: the question does not fit the model's context.
            Cancelled: ``cancel`` was set meanwhile.
        """
        instruction = self._tokenizer.encode(_INSTRUCTION).ids
        asked = self._tokenizer.encode(f" {question.strip()}").ids
        ids = (*instruction, *asked)
        branch = Branch(ids, (len(instruction), len(ids)))
        room = self._decoder.config.context_length - len(ids)
        limit = max(min(_PASSAGE_TOKENS, room), 1)
        scores: list[float] = []
        with self._turns.take(cancel):
            for start in range(0, len(passages), _TOGETHER):
                texts = passages[start : start + _TOGETHER]
                prefixes = self._decoder.prefill_many(
                    [self._tokenizer.encode(_BEFORE + text).ids[:limit] for text in texts],
                    cancel=cancel,
                )
                found = self._decoder.log_likelihood(prefixes, [branch], cancel=cancel)
                scores += [float(value) for value in found[:, 0]]
                progress("reading", len(scores), len(passages), "passages")
        return scores
