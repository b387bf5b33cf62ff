from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from leadline.tui.text_lines import TextLines

TEXT = st.text(alphabet="ab  \n漢é-", max_size=200)


@given(TEXT, st.integers(2, 30))
def test_lines_fit_and_lose_nothing_but_breaks(text: str, width: int) -> None:
    lines = TextLines.of(text, width)
    at = 0
    for start, end in zip(lines.starts, lines.ends, strict=True):
        assert text[at:start] in ("", " ", "\n")
        assert cell_len(text[start:end]) <= width
        at = end
    assert at == len(text)


@given(TEXT, st.integers(2, 30), st.data())
def test_a_character_is_found_in_its_line(text: str, width: int, data: st.DataObject) -> None:
    lines = TextLines.of(text, width)
    number = data.draw(st.integers(0, len(lines) - 1))
    if lines.starts[number] < lines.ends[number]:
        offset = data.draw(st.integers(lines.starts[number], lines.ends[number] - 1))
        assert lines.line_at(offset) == number


def test_words_stay_whole_where_they_can() -> None:
    text = "one two three"
    lines = TextLines.of(text, 8)
    assert [text[s:e] for s, e in zip(lines.starts, lines.ends, strict=True)] == [
        "one two",
        "three",
    ]
