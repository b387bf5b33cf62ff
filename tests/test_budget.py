import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.budget import Budget, Limits, Usage
from leadline.errors import BudgetExceeded


def test_the_clock_counts_from_the_start_and_from_what_was_spent_before() -> None:
    now = 100.0
    budget = Budget(Limits(seconds=10), spent=Usage(seconds=4), clock=lambda: now)
    assert budget.remaining_seconds == 6
    now = 106.0
    assert budget.exhausted == "10 seconds are up"
    with pytest.raises(BudgetExceeded, match="10 seconds are up"):
        budget.check()


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(1, 200))
def test_tokens_of_every_kind_count(charges: list[int], limit: int) -> None:
    budget = Budget(Limits(tokens=limit))
    for index, amount in enumerate(charges):
        kind = ("prompt_tokens", "completion_tokens", "read_tokens")[index % 3]
        budget.charge(**{kind: amount})
    assert (budget.exhausted is not None) == (sum(charges) >= limit)


def test_no_limits_never_end() -> None:
    budget = Budget()
    budget.charge(prompt_tokens=10**9, pages=10**6, money=1e6)
    assert budget.exhausted is None
    assert budget.remaining_seconds is None


def test_time_that_the_run_waits_for_a_person_is_not_counted() -> None:
    now = 0.0
    budget = Budget(Limits(seconds=10), clock=lambda: now)
    now = 4.0
    with budget.clock_stopped():
        now = 100.0
        assert budget.usage.seconds == 4
        assert budget.exhausted is None
    now = 103.0
    assert budget.usage.seconds == 7
    budget.limits = Limits(seconds=7)
    assert budget.exhausted == "7 seconds are up"
