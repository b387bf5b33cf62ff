"""What stands over a run while it works: its deadline, and the person's word on pause and limits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from ..budget import Budget
from ..cancellation import Cancellation
from .events import Event, LimitsChanged, PlanEdited, RunPaused, RunUnpaused
from .steering import Steering

_PULSE = 0.01
"""Seconds between two looks at the budget at the least, where clocks differ by a hair."""


@contextlib.asynccontextmanager
async def supervised(
    budget: Budget, deadline: Cancellation, steering: Steering, emit: Callable[[Event], None]
) -> AsyncIterator[None]:
    """Set ``deadline`` when the seconds of ``budget`` are up; pass on other limits at once.

    Pauses are said as events here and kept by the steps of the run. Edits that come too late for
    the run, or that it cannot take, are refused in the end.
    """
    alarm = _Alarm(budget, deadline)
    alarm.arm()
    listener = asyncio.get_running_loop().create_task(_listen(budget, alarm, steering, emit))
    try:
        yield
    finally:
        alarm.disarm()
        listener.cancel()
        await asyncio.gather(listener, return_exceptions=True)
    for edit in steering.take_edits():
        emit(PlanEdited(edit=edit, refused="the run has no plan left to edit"))


async def _listen(
    budget: Budget, alarm: _Alarm, steering: Steering, emit: Callable[[Event], None]
) -> None:
    paused = False
    while True:
        seen = steering.changes
        if (limits := steering.take_limits()) is not None:
            budget.limits = limits
            emit(LimitsChanged(limits=limits))
            alarm.arm()
        if steering.paused != paused:
            paused = not paused
            emit(RunPaused() if paused else RunUnpaused())
        await steering.changed(seen)


class _Alarm:
    """Sets ``deadline`` once ``budget`` is used up; looks again where its clock stood meanwhile."""

    def __init__(self, budget: Budget, deadline: Cancellation) -> None:
        self._budget, self._deadline = budget, deadline
        self._timer: asyncio.TimerHandle | None = None

    def arm(self) -> None:
        self.disarm()
        if self._budget.exhausted:
            self._deadline.cancel()
        elif (seconds := self._budget.remaining_seconds) is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(seconds, _PULSE), self.arm)

    def disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
