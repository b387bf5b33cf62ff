"""Tells a run's events on stderr, a line each."""

from __future__ import annotations

import time

from ..agent import events
from ..agent.narration import line_of
from .terminal import note, warn


class Narrator:
    """Shows what a user wants to see of a run that goes by; warnings are shown even if quiet."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._started = time.monotonic()

    def warn(self, message: str) -> None:
        warn(message)

    def show(self, event: events.Event) -> None:
        if isinstance(event, events.Warned):
            warn(event.message)
        elif not self._quiet and (line := line_of(event)):
            note(f"{time.monotonic() - self._started:5.0f} s  {line}")
