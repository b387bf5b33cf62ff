"""Days on which documents can have been published."""

from __future__ import annotations

from datetime import date, timedelta

_BEFORE_THE_WEB = date(1990, 1, 1)


def plausible(day: date) -> date | None:
    """``day``, unless it lies before the web or in the future: clocks and templates lie."""
    tomorrow = date.today() + timedelta(days=1)
    return day if _BEFORE_THE_WEB <= day <= tomorrow else None
