"""The best of what was found for a question, in a bounded space."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field

from ..evidence import Citation, Evidence, Span

EVIDENCE = 200

_Key = tuple[str, int, int]
"""Page, start and end."""
_Rank = tuple[float, int]
"""What is sorted by: the score, negative, then the order of arrival."""


@dataclass(frozen=True, slots=True)
class EvidenceView:
    evidence: Evidence
    title: str
    url: str


@dataclass(slots=True)
class BestEvidence:
    """Keeps ``most`` pieces of evidence: those that are cited, and of the others the best.

    More are kept only where more are cited. Best comes first, of equal ones the first that came.
    """

    most: int = EVIDENCE
    _held: dict[_Key, EvidenceView] = field(default_factory=dict)
    _ranks: dict[_Key, _Rank] = field(default_factory=dict)
    _order: list[tuple[_Rank, _Key]] = field(default_factory=list)
    """All that is held, sorted; a piece is put into its place when it comes."""
    _cited: set[_Key] = field(default_factory=set)
    _arrived: int = 0

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[EvidenceView]:
        return (self._held[key] for _, key in self._order)

    def add(self, found: EvidenceView) -> None:
        """Take one more piece; one that is held already counts with its best score."""
        key, score = _key(found.evidence.span), found.evidence.score
        if key in self._held:
            if score <= self._held[key].evidence.score:
                return
            arrival = self._take_out(key)
        else:
            arrival = self._arrived
            self._arrived += 1
        self._held[key], self._ranks[key] = found, (-score, arrival)
        bisect.insort(self._order, (self._ranks[key], key))
        self._shrink()

    def cite(self, span: Span) -> bool:
        """Keep the pieces that hold ``span`` for good; whether there are any."""
        holding = {
            (page_id, start, end)
            for page_id, start, end in self._held
            if page_id == span.page_id and start <= span.start and span.end <= end
        }
        self._cited |= holding
        return bool(holding)

    def restore(self, citation: Citation, question: str) -> None:
        """Take back, behind all others, what fell out before it was cited."""
        score = -self._order[-1][0][0] if self._order else 0.0
        span = Span.model_validate(citation.model_dump(include=set(Span.model_fields)))
        evidence = Evidence(span=span, score=score, question=question)
        self._cited.add(_key(span))
        self.add(EvidenceView(evidence, citation.title, citation.url))

    def _take_out(self, key: _Key) -> int:
        """Take a piece out of the order; its number in the order of arrival."""
        rank = self._ranks[key]
        del self._order[bisect.bisect_left(self._order, (rank, key))]
        return rank[1]

    def _shrink(self) -> None:
        if len(self._order) <= self.most:
            return
        worst = next((key for _, key in reversed(self._order) if key not in self._cited), None)
        if worst is not None:
            self._take_out(worst)
            del self._held[worst], self._ranks[worst]


def _key(span: Span) -> _Key:
    return span.page_id, span.start, span.end
