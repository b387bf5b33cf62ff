"""Confidence intervals for what was measured."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_Z_95 = 1.959963984540054
_RESAMPLES = 2000
_SEED = 0


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """The 95 % Wilson score interval of a proportion (Wilson, JASA 1927).

    Raises:
        ValueError: ``successes`` is not in ``[0, trials]``.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} successes in {trials} trials")
    if trials == 0:
        return 0.0, 1.0
    p, z2 = successes / trials, _Z_95**2
    centre = (p + z2 / (2 * trials)) / (1 + z2 / trials)
    half = _Z_95 * math.sqrt(p * (1 - p) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return max(0.0, centre - half), min(1.0, centre + half)


def bootstrap(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of the mean (Efron, Annals of Statistics 1979).

    The same values give the same interval, in whatever order they come.

    Raises:
        ValueError: there are no values.
    """
    import numpy as np

    if not values:
        raise ValueError("no values to resample")
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    random = np.random.default_rng(_SEED)
    means = random.choice(ordered, size=(_RESAMPLES, len(ordered))).mean(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    # Sums in another order may differ in the last digit.
    return float(max(low, ordered[0])), float(min(high, ordered[-1]))


def bootstrap_of(
    values: NDArray[np.float64], statistic: Callable[[NDArray[np.float64]], float]
) -> tuple[float, float]:
    """The 95 % percentile bootstrap interval of any ``statistic`` of the rows of ``values``.

    Raises:
        ValueError: there are no values.
    """
    import numpy as np

    if not len(values):
        raise ValueError("no values to resample")
    random = np.random.default_rng(_SEED)
    chosen = random.integers(len(values), size=(_RESAMPLES, len(values)))
    low, high = np.percentile([statistic(values[rows]) for rows in chosen], [2.5, 97.5])
    return float(low), float(high)


def share_interval(values: Sequence[float]) -> tuple[float, float]:
    """For a mean of shares: Wilson's where each is a hit (1) or a miss (0), else the bootstrap.

    The bootstrap of hits alone would have no width at all.
    """
    if all(value in (0.0, 1.0) for value in values):
        return wilson(int(sum(values)), len(values))
    return bootstrap(values)


def paired_share_difference(first: Sequence[float], second: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of ``second`` minus ``first``, shares of hits (1) and misses (0) in pairs.

    Newcombe's score interval for McNemar's table (Statistics in Medicine 1998, method 10): it has a
    width where all pairs agree, too.

    Raises:
        ValueError: there are no pairs.
    """
    n = len(first)
    if not n:
        raise ValueError("no pairs to compare")
    pairs = list(zip(first, second, strict=True))
    both, neither = pairs.count((1.0, 1.0)), pairs.count((0.0, 0.0))
    lost, won = pairs.count((1.0, 0.0)), pairs.count((0.0, 1.0))
    p1, p2 = (both + lost) / n, (both + won) / n
    low1, high1 = wilson(both + lost, n)
    low2, high2 = wilson(both + won, n)
    phi = _correlation(both, lost, won, neither)
    down, up = (p2 - low2, high1 - p1), (high2 - p2, p1 - low1)
    difference = p2 - p1
    return difference - _joint(*down, phi), difference + _joint(*up, phi)


def mcnemar(first: Sequence[float], second: Sequence[float]) -> float:
    """The p of McNemar's exact test that hits (1) and misses (0) in pairs are equally many."""
    pairs = list(zip(first, second, strict=True))
    lost, won = pairs.count((1.0, 0.0)), pairs.count((0.0, 1.0))
    changed = lost + won
    tail = sum(math.comb(changed, k) for k in range(min(lost, won) + 1))
    # Whole numbers: a float cannot hold two to the power of a thousand and more.
    return min(1.0, 2 * tail / (1 << changed))


def _correlation(both: int, lost: int, won: int, neither: int) -> float:
    """Phi of McNemar's table with Newcombe's correction for continuity."""
    margins = (both + lost) * (won + neither) * (both + won) * (lost + neither)
    if not margins:
        return 0.0
    excess = both * neither - lost * won
    corrected = max(excess - (both + lost + won + neither) / 2, 0.0) if excess > 0 else excess
    return corrected / math.sqrt(margins)


def _joint(own: float, other: float, phi: float) -> float:
    return math.sqrt(max(0.0, own**2 - 2 * phi * own * other + other**2))
