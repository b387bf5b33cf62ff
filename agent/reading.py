"""Pages read for a question, charged to the run and said as an event."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from ..evidence import Evidence, Page
from .events import ReadingFinished, ReadingProgressed
from .toolbox import Toolbox

_READING = "reading"
"""What readers call their work on windows, when they say how far it is."""
_INTERVAL_SECONDS = 0.3


async def read_pages(
    box: Toolbox, span_id: str, question: str, pages: Sequence[Page]
) -> tuple[Evidence, ...]:
    """What ``pages`` say to ``question``, best first.

    Raises:
        ReadingError, ModelError, Cancelled: as the reader raises them.
    """
    box.emit(_progressed(box, span_id, 0.0, 0.0))
    [reading] = await box.reader.read(
        [question],
        pages,
        budget=box.effort.reading_budget,
        cancel=box.deadline,
        progress=_ReadingProgress(box, span_id),
    )
    box.budget.charge(read_tokens=reading.read_tokens)
    box.emit(
        ReadingFinished(
            span_id=span_id,
            pages=len(pages),
            read_tokens=reading.read_tokens,
            seconds=reading.seconds,
        )
    )
    return reading.evidence


class _ReadingProgress:
    """Says as an event how far reading is; everything is handed on to the run's own progress."""

    def __init__(self, box: Toolbox, span_id: str) -> None:
        self._box, self._span_id = box, span_id
        self._loop = asyncio.get_running_loop()
        self._started = self._last = time.monotonic()

    def __call__(self, task: str, done: int, total: int | None, unit: str) -> None:
        self._box.progress(task, done, total, unit)
        now = time.monotonic()
        if task != _READING or not total or now - self._last < _INTERVAL_SECONDS:
            return
        self._last = now
        event = _progressed(self._box, self._span_id, done / total, now - self._started)
        # Readers read in threads; the run's log belongs to its loop.
        self._loop.call_soon_threadsafe(self._box.emit, event)


def _progressed(box: Toolbox, span_id: str, share: float, seconds: float) -> ReadingProgressed:
    total = box.effort.reading_tokens
    return ReadingProgressed(
        span_id=span_id,
        read_tokens=round(share * (total or 0)),
        total_tokens=total,
        seconds=seconds,
    )
