"""Ranking passages by how much they make a model expect the question.

Query likelihood without training, as UPR (Sachan et al., EMNLP 2022, arXiv 2204.07496) and
open-source language models used alike (arXiv 2310.13243).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..cancellation import Cancellation
from ..progress import Progress, silent
from .decoder import Branch, Decoder
from .tokenizer import TextTokenizer
from .turns import Turns

_BEFORE = "Document: "
_INSTRUCTION = "\n\nRead the document above and write a question that it answers.\nQuestion:"
_TOGETHER = 16
"""Passages whose keys and values are held at once."""
_PASSAGE_TOKENS = 512
"""Of a passage that are read."""


@dataclass(frozen=True, slots=True)
class Likelihoods:
    """How much passages make a model expect a question."""

    scores: list[float]
    """For each passage, the mean log probability of the question's tokens."""
    read_tokens: int
    """Tokens that went through the model."""


class LikelihoodRanker:
    """A :class:`~.reader.PassageRanker` on a decoder with its output.

    Safe from any thread: calls take turns.
    """

    def __init__(self, decoder: Decoder, tokenizer: TextTokenizer) -> None:
        self._decoder = decoder
        self._tokenizer = tokenizer
        self._turns = Turns()

    def rank(
        self,
        question: str,
        passages: Sequence[str],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> list[float]:
        """The scores of :meth:`ask`. Blocks."""
        return self.ask(question, passages, cancel=cancel, progress=progress).scores

    def ask(
        self,
        question: str,
        passages: Sequence[str],
        *,
        cancel: Cancellation,
        progress: Progress = silent,
    ) -> Likelihoods:
        """Read each passage by itself, the question after it. Blocks.

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
        read_tokens = 0
        with self._turns.take(cancel):
            for start in range(0, len(passages), _TOGETHER):
                texts = passages[start : start + _TOGETHER]
                prefixes = self._decoder.prefill_many(
                    [self._tokenizer.encode(_BEFORE + text).ids[:limit] for text in texts],
                    cancel=cancel,
                )
                found = self._decoder.log_likelihood(prefixes, [branch], cancel=cancel)
                scores += [float(value) for value in found[:, 0]]
                read_tokens += sum(prefix.length + len(ids) for prefix in prefixes)
                progress("reading", len(scores), len(passages), "passages")
        return Likelihoods(scores, read_tokens)
