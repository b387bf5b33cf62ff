"""Numbers of citations: one for each span, in the order in which a report first cites it."""

from __future__ import annotations

from collections.abc import Iterable

from ..evidence import Citation


class CitationNumbers:
    """Gives every cited span its number, from 1: those of ``citations`` first, in their order."""

    def __init__(self, citations: Iterable[Citation] = ()) -> None:
        self.sources: list[Citation] = []
        """The spans so far; the one at ``n - 1`` has number ``n``."""
        self._numbers: dict[tuple[str, int, int], int] = {}
        for citation in citations:
            self.number(citation)

    def number(self, citation: Citation) -> int:
        """The number of this span; a new one if it was not cited before."""
        key = (citation.page_id, citation.start, citation.end)
        if key not in self._numbers:
            self.sources.append(citation)
            self._numbers[key] = len(self.sources)
        return self._numbers[key]
