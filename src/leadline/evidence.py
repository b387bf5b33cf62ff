"""What is read and what is brought back: pages, spans of their text, evidence, citations."""

from __future__ import annotations

import bisect
from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from .errors import ReadingError


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Span(_Value):
    """Characters ``[start, end)`` of a page's text; ``quote`` is exactly those characters."""

    page_id: str
    """The page's id, see :class:`Page`."""
    start: int = Field(ge=0)
    """Offset of the first character in the page's text."""
    end: int = Field(ge=0)
    """Offset behind the last character."""
    quote: str
    """Those characters, to the letter."""


class Page(_Value):
    """One document as it was fetched, with the text that every offset refers to."""

    page_id: str
    """SHA-256 of the fetched bytes, in hexadecimal."""
    url: str
    """What was asked for: an http(s) or a file URL."""
    final_url: str
    """Where the bytes came from after redirects."""
    fetched_at: datetime
    """When the bytes came, in UTC."""
    media_type: str
    """What the bytes are, as ``text/html``."""
    title: str
    """As the page gives it; empty where it gives none."""
    text: str
    """What was extracted of the bytes; never changed, so that offsets stay valid."""
    sheet_starts: tuple[int, ...] = ()
    """For paged documents (PDF): the offset in ``text`` at which each sheet starts."""
    language: str | None = None
    """ISO 639-1 code, where it could be told."""
    published: date | None = None
    """When it was published, as the page itself says."""
    authors: tuple[str, ...] = ()
    """As the page itself names them."""

    def span(self, start: int, end: int) -> Span:
        """The span ``[start, end)`` of this page.

        Raises:
            ReadingError: the offsets lie outside the text or enclose nothing.
        """
        if not 0 <= start < end <= len(self.text):
            raise ReadingError(
                f"span {start}–{end} does not lie in page {self.page_id[:12]} "
                f"of {len(self.text)} characters"
            )
        return Span(page_id=self.page_id, start=start, end=end, quote=self.text[start:end])

    def holds(self, span: Span) -> bool:
        """Whether ``span`` is of this page and quotes it to the letter."""
        return span.page_id == self.page_id and self.text[span.start : span.end] == span.quote

    def sheet_number(self, offset: int) -> int | None:
        """The sheet (1-based) on which the character at ``offset`` stands; None if not paged."""
        if not self.sheet_starts:
            return None
        return bisect.bisect_right(self.sheet_starts, offset)


class Evidence(_Value):
    """A span, how strongly it answers, and the question it was read for."""

    span: Span
    score: float
    question: str


class Citation(Span):
    """A span as a report shows it, with the address and the title of its page."""

    url: str
    """Where the page was fetched from, after redirects."""
    title: str
    """The page's title."""
    sheet: int | None = None
    """Sheet number (1-based) in a paged document."""

    @classmethod
    def of(cls, span: Span, page: Page) -> Citation:
        """Cite ``span`` of ``page``.

        Raises:
            ReadingError: the span does not quote the page.
        """
        if not page.holds(span):
            raise ReadingError(f"a span does not quote page {page.page_id[:12]} to the letter")
        return cls(
            page_id=span.page_id,
            start=span.start,
            end=span.end,
            quote=span.quote,
            url=page.final_url,
            title=page.title,
            sheet=page.sheet_number(span.start),
        )
