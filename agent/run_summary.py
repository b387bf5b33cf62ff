"""A run in one line, for lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from ..errors import RunError
from .report import Status
from .run_store import RunFolder


@dataclass(frozen=True, slots=True)
class RunSummary:
    """What a list shows of a run."""

    run_id: str
    title: str
    question: str
    status: Status | Literal["unfinished"]
    started_at: datetime
    claims: int
    pages: int | None
    """None until the run is finished, as are the seconds."""
    seconds: float | None
    as_table: bool

    @classmethod
    def of(cls, folder: RunFolder) -> RunSummary:
        """The summary of a run. Raises RunError: its record or its report is damaged."""
        record, report = folder.record, folder.report
        return cls(
            run_id=record.run_id,
            title=folder.title,
            question=record.question,
            status=report.status if report else "unfinished",
            started_at=record.started_at,
            claims=len(report.claims) if report else 0,
            pages=report.usage.pages if report else None,
            seconds=report.usage.seconds if report else None,
            as_table=record.table is not None,
        )


def summaries(folders: list[RunFolder]) -> tuple[list[RunSummary], list[str]]:
    """The summaries of the runs that can be read, and the ids of those that are damaged."""
    found: list[RunSummary] = []
    damaged: list[str] = []
    for folder in folders:
        try:
            found.append(RunSummary.of(folder))
        except RunError:
            damaged.append(folder.path.name)
    return found, damaged
