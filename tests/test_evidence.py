from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from leadline.errors import ReadingError
from leadline.evidence import Citation, Page, Span


def page(text: str, sheet_starts: tuple[int, ...] = ()) -> Page:
    return Page(
        page_id="ab" * 32,
        url="https://example.org/x",
        final_url="https://example.org/y",
        fetched_at=datetime.now(UTC),
        media_type="text/plain",
        title="Title",
        text=text,
        sheet_starts=sheet_starts,
    )


@given(st.text(min_size=1), st.data())
def test_a_span_quotes_its_page_to_the_letter(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    span = page(text).span(start, end)
    assert span.quote == text[start:end]
    assert Citation.of(span, page(text)).url == "https://example.org/y"


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (2, 2), (3, 2), (0, 9)])
def test_a_span_outside_the_text_is_refused(start: int, end: int) -> None:
    with pytest.raises(ReadingError):
        page("four").span(start, end)


def test_a_span_that_does_not_quote_the_page_cannot_be_cited() -> None:
    forged = Span(page_id="ab" * 32, start=0, end=4, quote="five")
    with pytest.raises(ReadingError, match="to the letter"):
        Citation.of(forged, page("four"))


def test_sheets_are_found_by_offset() -> None:
    paged = page("one two three", sheet_starts=(0, 4, 8))
    assert [paged.sheet_number(offset) for offset in (0, 3, 4, 12)] == [1, 1, 2, 3]
    assert page("x").sheet_number(0) is None
