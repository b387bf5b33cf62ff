"""Pages cut into passages, and passages put together again as evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from ..evidence import Evidence, Page
from ..segmentation import passages as passage_offsets


@dataclass(frozen=True, slots=True)
class Passage:
    """Characters ``[start, end)`` of a page."""

    page: Page
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.page.text[self.start : self.end]

    @property
    def titled_text(self) -> str:
        """The text below its page's title, which often names what the text is about."""
        return f"{self.page.title}\n{self.text}" if self.page.title else self.text


def split_pages(pages: Sequence[Page], *, max_chars: int) -> list[Passage]:
    """The passages of all pages, in order; a page given twice is taken once."""
    unique = {page.page_id: page for page in pages}
    return [
        Passage(page, start, end)
        for page in unique.values()
        for start, end in passage_offsets(page.text, max_chars=max_chars)
    ]


def merged_spans(
    question: str, scored: Sequence[tuple[Passage, float]], *, max_chars: int
) -> tuple[Evidence, ...]:
    """Evidence, best first; neighbours that together stay within ``max_chars`` become one span.

    Two pieces are neighbours when only white space lies between them, or when they overlap (those
    are joined whatever their length). A span's score is the best of its pieces.
    """
    by_page: dict[str, list[tuple[Passage, float]]] = defaultdict(list)
    for passage, score in scored:
        by_page[passage.page.page_id].append((passage, score))
    spans: list[tuple[Passage, float]] = []
    for pieces in by_page.values():
        pieces.sort(key=lambda piece: piece[0].start)
        spans += _joined(pieces, max_chars)
    spans.sort(key=lambda span: -span[1])
    return tuple(
        Evidence(span=p.page.span(p.start, p.end), score=score, question=question)
        for p, score in spans
    )


def _joined(pieces: list[tuple[Passage, float]], max_chars: int) -> list[tuple[Passage, float]]:
    joined: list[tuple[Passage, float]] = []
    for passage, score in pieces:
        if joined:
            last, last_score = joined[-1]
            gap = passage.page.text[last.end : passage.start]
            end = max(last.end, passage.end)
            fits = not gap.strip() and end - last.start <= max_chars
            if passage.start < last.end or fits:
                joined[-1] = (Passage(last.page, last.start, end), max(last_score, score))
                continue
        joined.append((passage, score))
    return joined
