"""What earlier events of a run say; kept up to date as new ones come."""

from __future__ import annotations

from ..budget import Usage
from ..evidence import Evidence
from .events import Event, EvidenceFound, UsageUpdated
from .run_store import RunFolder


class RunHistory:
    """Whether a run was begun before, what it used, what it found."""

    def __init__(self, folder: RunFolder) -> None:
        self.started = False
        self.usage = Usage()
        self.evidence: list[tuple[str, Evidence]] = []
        """With the ids of the sub-questions that it was found for."""
        for event in folder.events():
            self.add(event)

    def add(self, event: Event) -> None:
        self.started = True
        if isinstance(event, EvidenceFound):
            self.evidence.append((event.span_id, event.evidence))
        elif isinstance(event, UsageUpdated):
            self.usage = event.usage
