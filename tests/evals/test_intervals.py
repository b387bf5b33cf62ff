from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.evals.intervals import bootstrap, share_interval, wilson

SHARES = st.lists(st.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=40)


@given(SHARES, st.randoms(use_true_random=False))
def test_bootstrap_holds_the_mean_and_knows_no_order(values: list[float], random: Random) -> None:
    low, high = bootstrap(values)
    mean = sum(values) / len(values)
    assert min(values) <= low <= mean + 1e-9
    assert mean - 1e-9 <= high <= max(values)
    shuffled = list(values)
    random.shuffle(shuffled)
    assert bootstrap(shuffled) == (low, high)


def test_bootstrap_comes_near_the_normal_interval() -> None:
    values = [0.0, 0.5, 1.0, 0.5] * 100
    low, high = bootstrap(values)
    half = 1.96 * (0.125 / len(values)) ** 0.5
    assert low == pytest.approx(0.5 - half, abs=0.005)
    assert high == pytest.approx(0.5 + half, abs=0.005)


def test_bootstrap_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="no values"):
        bootstrap([])


def test_hits_and_misses_get_wilsons_interval() -> None:
    assert share_interval([1.0, 1.0, 1.0]) == wilson(3, 3)
    assert share_interval([1.0, 0.5, 1.0]) == bootstrap([1.0, 0.5, 1.0])
