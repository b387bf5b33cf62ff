"""How likely each token is to come next, before any grammar or sampler has its say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .engine import TokenLikelihood


def likeliest_tokens(
    logits: Any, vocabulary_size: int, count: int, *, piece: Callable[[int], bytes]
) -> tuple[TokenLikelihood, ...]:
    """The ``count`` likeliest tokens, likeliest first.

    ``logits`` is llama.cpp's pointer to ``vocabulary_size`` floats, or an array of as many;
    ``piece`` gives a token's bytes.
    """
    import numpy as np

    values = np.ctypeslib.as_array(logits, shape=(vocabulary_size,)).astype(np.float64)
    highest = float(values.max())
    total = highest + float(np.log(np.exp(values - highest).sum()))
    best = np.argsort(-values, kind="stable")[:count]
    return tuple(
        TokenLikelihood(
            piece(int(token)).decode("utf-8", errors="replace"), float(values[token]) - total
        )
        for token in best
    )
