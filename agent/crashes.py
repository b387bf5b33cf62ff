"""Errors that nobody foresaw: tried once more, then said; they never end what is beside them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from ..errors import LeadlineError, RunError
from .events import Warned
from .toolbox import Toolbox

T = TypeVar("T")


async def tried_twice(work: Callable[[], Awaitable[T]], what: str, span_id: str, box: Toolbox) -> T:
    """The result of ``work``, which is called again if it crashes.

    An error of :mod:`leadline.errors` was foreseen and is raised at once. ``what`` names the work
    in messages.

    Raises:
        RunError: it crashed twice.
    """
    try:
        return await work()
    except LeadlineError:
        raise
    except Exception as error:  # noqa: BLE001 whatever a library or a bug raises
        box.emit(Warned(span_id=span_id, message=f"{_named(what, error)}; it is tried once more"))
    try:
        return await work()
    except LeadlineError:
        raise
    except Exception as error:
        raise RunError(
            _named(what, error), remedy="resume the run; report it if it persists"
        ) from error


def _named(what: str, error: Exception) -> str:
    return f"{what} failed in an unforeseen way ({type(error).__name__}: {error})"
