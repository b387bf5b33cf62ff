"""Pages read for a question, charged to the run and said as an event."""

from __future__ import annotations

from collections.abc import Sequence

from ..evidence import Evidence, Page
from .events import ReadingFinished
from .toolbox import Toolbox


async def read_pages(
    box: Toolbox, span_id: str, question: str, pages: Sequence[Page]
) -> tuple[Evidence, ...]:
    """What ``pages`` say to ``question``, best first.

    Raises:
        ReadingError, ModelError, Cancelled: as the reader raises them.
    """
    [reading] = await box.reader.read(
        [question],
        pages,
        budget=box.effort.reading_budget,
        cancel=box.deadline,
        progress=box.progress,
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
