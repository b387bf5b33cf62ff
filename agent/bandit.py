"""A contextual bandit: which of a few ways pays, for which kind of question.

Thompson sampling over Beta posteriors, one for each context and arm (Thompson 1933; Chapelle and
Li, NeurIPS 2011), as QueryBandits chooses among rewrites of a query (arXiv 2508.16697). Rewards
lie in [0, 1]; a fraction counts as that share of a success.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

_SHARED_TRIALS = 1.0
"""As how many trials at most all that was learnt in other contexts counts."""


class Posterior(BaseModel):
    """What is known of one arm in one context, over a uniform prior."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    successes: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)
    failures: float = Field(default=0.0, ge=0.0, allow_inf_nan=False)

    @property
    def trials(self) -> float:
        return self.successes + self.failures

    @property
    def mean(self) -> float:
        return (self.successes + 1) / (self.trials + 2)

    def rewarded(self, reward: float) -> Posterior:
        """The posterior after one more trial that brought ``reward``, in [0, 1]."""
        reward = min(max(reward, 0.0), 1.0)
        return Posterior(successes=self.successes + reward, failures=self.failures + 1 - reward)


class Reward(BaseModel):
    """What choosing ``arm`` in ``context`` brought."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    context: str
    arm: str
    value: float = Field(ge=0.0, le=1.0)


class Posteriors(BaseModel):
    """The posteriors of every context and arm that was tried."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by_context: dict[str, dict[str, Posterior]] = Field(default_factory=dict)

    def of(self, context: str, arm: str) -> Posterior:
        return self.by_context.get(context, {}).get(arm, Posterior())

    def informed(self, context: str, arm: str) -> Posterior:
        """The posterior in ``context``, to which other contexts add a little."""
        own = self.of(context, arm)
        others = [
            arms[arm] for key, arms in self.by_context.items() if key != context and arm in arms
        ]
        trials = sum(posterior.trials for posterior in others)
        weight = min(1.0, _SHARED_TRIALS / trials) if trials else 0.0
        return Posterior(
            successes=own.successes + weight * sum(p.successes for p in others),
            failures=own.failures + weight * sum(p.failures for p in others),
        )

    def updated(self, rewards: Sequence[Reward]) -> Posteriors:
        contexts = {context: dict(arms) for context, arms in self.by_context.items()}
        for reward in rewards:
            arms = contexts.setdefault(reward.context, {})
            arms[reward.arm] = arms.get(reward.arm, Posterior()).rewarded(reward.value)
        return Posteriors(by_context=contexts)


def choose(
    posteriors: Posteriors, context: str, arms: Sequence[str], *, count: int, seed: str
) -> list[str]:
    """``count`` of ``arms``, the likeliest to pay first by one draw from each posterior.

    The same posteriors, arms and seed give the same choice.
    """
    source = random.Random(seed)
    draws = {}
    for arm in sorted(set(arms)):
        posterior = posteriors.informed(context, arm)
        draws[arm] = source.betavariate(posterior.successes + 1, posterior.failures + 1)
    return sorted(draws, key=lambda arm: -draws[arm])[:count]
