"""Which of a few given answers a model finds likeliest.

A small model that writes "yes" or "no" hides how sure it was; the probabilities of the answer's
first token tell. The options are given as short labels that begin differently: words, letters,
digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from ..cancellation import Cancellation
from .engine import Engine, GenerationRequest, Message, TokenLikelihood

_FIRST_TOKENS = 20
"""As many as OpenAI's protocol allows."""
_OPTION_TOKENS = 1


@dataclass(frozen=True, slots=True)
class OptionScores:
    """One probability for each option; they add up to 1."""

    options: tuple[str, ...]
    probabilities: tuple[float, ...]

    @property
    def best(self) -> str:
        return self.options[self.probabilities.index(max(self.probabilities))]

    def of(self, option: str) -> float:
        """The probability of ``option``; ValueError if it was not among those asked about."""
        return self.probabilities[self.options.index(option)]


async def score_options(
    engine: Engine,
    messages: Sequence[Message],
    options: Sequence[str],
    *,
    cancel: Cancellation,
) -> OptionScores | None:
    """How likely the answer to ``messages`` is each of ``options``, among them.

    Where the engine cannot tell probabilities, what it answers takes all; None where that is none
    of the options.

    Raises:
        ValueError: two options begin alike, or there are none.
        PromptTooLong: the messages do not fit the window.
        Cancelled, ModelError, EndpointError: as :meth:`Engine.stream` raises them.
    """
    labels = [option.casefold() for option in options]
    if not labels or len({label[:1] for label in labels}) < len(labels):
        raise ValueError(f"the options {list(options)} do not begin differently")
    request = GenerationRequest(
        messages=tuple(messages), max_tokens=_OPTION_TOKENS, first_tokens=_FIRST_TOKENS
    )
    generation = await engine.generate(request, cancel=cancel)
    told = generation.first_tokens or (TokenLikelihood(generation.text, 0.0),)
    return option_probabilities(told, options)


def option_probabilities(
    tokens: Sequence[TokenLikelihood], options: Sequence[str]
) -> OptionScores | None:
    """The share of each option in the probability of ``tokens`` that begin one.

    None where no token begins an option.
    """
    masses = [0.0] * len(options)
    for token in tokens:
        text = token.text.strip().strip("\"'`[(").casefold()
        for place, option in enumerate(options):
            label = option.casefold()
            if text and (label.startswith(text) or text.startswith(label)):
                masses[place] += math.exp(token.log_probability)
                break
    total = sum(masses)
    if total <= 0.0:
        return None
    return OptionScores(tuple(options), tuple(mass / total for mass in masses))
