"""Finding heads without any data: random tokens, twice.

Heads that look up what was said look, in a second copy of a random sequence, at the same token of
the first copy (echo) or at the one after it (induction). They are those that a long context's
answers hang on: RazorAttention, arXiv 2407.15891, §3.2; induction heads, arXiv 2209.11895.
"""

from __future__ import annotations

import hashlib
import random
import string
from collections.abc import Sequence

import torch

from ..cancellation import Cancellation
from ..errors import InputError
from ..progress import Progress, silent
from .calibration import all_heads, best_heads
from .decoder import Decoder
from .heads import CalibrationData, ScoredHead
from .row_attention import row_attention
from .tokenizer import TextTokenizer

_COPY_TOKENS = 200
_ROWS = 16
"""Rows of the second copy that are looked at, from its middle on."""
_LEAST_TOKENS = 2 * _ROWS
_WORDS = 400


def repeated_sequences(
    tokenizer: TextTokenizer, *, count: int, limit: int, seed: int = 0
) -> list[list[int]]:
    """``count`` sequences of at most ``limit`` ids whose two halves are the same distinct ids.

    The ids are pieces of random letters, so that none is a control token.

    Raises:
        InputError: the model's vocabulary or context is too small.
    """
    generator = random.Random(seed)
    sequences = []
    for _ in range(count):
        letters = (generator.choices(string.ascii_letters, k=8) for _ in range(_WORDS))
        pool = sorted(set(tokenizer.encode(" ".join("".join(word) for word in letters)).ids))
        size = min(_COPY_TOKENS, len(pool), limit // 2)
        if size < _LEAST_TOKENS:
            raise InputError(
                f"{size} different tokens are too few to repeat", remedy="choose another model"
            )
        sequences.append(generator.sample(pool, size) * 2)
    return sequences


def repeating_heads(
    decoder: Decoder,
    sequences: Sequence[Sequence[int]],
    *,
    count: int = 8,
    cancel: Cancellation | None = None,
    progress: Progress = silent,
) -> list[ScoredHead]:
    """The ``count`` heads that attend most from the second half to what it repeats. Blocks.

    Args:
        sequences: of :func:`repeated_sequences`.

    Raises:
        Cancelled: ``cancel`` was set meanwhile.
    """
    heads = all_heads(decoder)
    total = torch.zeros(len(heads))
    for number, ids in enumerate(sequences):
        half = len(ids) // 2
        first = half + half // 2
        rows = range(first, first + _ROWS)
        found = row_attention(decoder, ids, rows, heads, cancel=cancel)
        for row, attention in zip(rows, found, strict=True):
            total += attention[:, row - half] + attention[:, row - half + 1]
        progress("choosing heads", number + 1, len(sequences), "sequences")
    return best_heads(heads, total / (len(sequences) * _ROWS), count)


def describe_repeats(sequences: Sequence[Sequence[int]]) -> CalibrationData:
    """What a head table says of ``sequences``."""
    ids = "\n".join(" ".join(map(str, sequence)) for sequence in sequences)
    return CalibrationData(
        name="random token sequences, repeated",
        sha256=hashlib.sha256(ids.encode()).hexdigest(),
        questions=len(sequences),
        passages=0,
    )
