"""What may be said of a single run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from ..agent.events import Event
from ..agent.steering import Clarification, Clarify, Steering
from ..budget import Limits
from ..cancellation import Cancellation

OnEvent = Callable[[Event], None]
"""Told of every event of a run, in order, in the client's own thread; must be quick."""


class CommonOptions(TypedDict, total=False):
    """Options of runs that both clients have alike."""

    limits: Limits | None
    """The budget; the setting ``seconds`` without it. Running out ends in a labelled report."""
    cancel: Cancellation | None
    """Stops the run from any thread; it can be resumed."""
    on_event: OnEvent | None
    """Sees every event, beside the client's own ``on_event``."""
    steering: Steering | None
    """Edits of the plan, pauses and other limits, from any thread, while the run is under way."""


class RunOptions(CommonOptions, total=False):
    """Options of a run of :class:`leadline.AsyncLeadline`."""

    clarify: Clarify | None
    """Asks the person what the question means; awaited once at most, before there is a plan."""


class SyncRunOptions(CommonOptions, total=False):
    """Options of a run of :class:`leadline.Leadline`."""

    clarify: Callable[[Clarification], str | None] | None
    """Asks the person what the question means; called in a thread of its own."""
