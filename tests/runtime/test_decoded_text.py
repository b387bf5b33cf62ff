from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from leadline.runtime.decoded_text import DecodedText

letters = st.text(st.sampled_from("ab\né語🧭"), max_size=30)
stops = st.lists(st.text(st.sampled_from("ab\né語🧭"), min_size=1, max_size=4), max_size=3)


@given(text=letters, stop=stops, data=st.data())
def test_however_the_bytes_are_cut_the_text_ends_at_the_first_stop(
    text: str, stop: list[str], data: st.DataObject
) -> None:
    raw = text.encode()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    decoded = DecodedText(stop)
    pieces: list[str] = []
    for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True):
        pieces.append(decoded.feed(raw[start:end]))
        if decoded.ended:
            break
    pieces.append(decoded.finish())

    found = [at for string in stop if (at := text.find(string)) >= 0]
    assert "".join(pieces) == (text[: min(found)] if found else text)
    assert decoded.ended == bool(found)


def test_text_is_given_out_as_soon_as_it_is_certain() -> None:
    decoded = DecodedText(["\n\n"])
    assert decoded.feed(b"one\n") == "one"
    assert decoded.feed(b"two") == "\ntwo"
    assert decoded.feed("é".encode()[:1]) == ""
    assert decoded.feed("é".encode()[1:]) == "é"
    assert decoded.feed(b"\n\nthree") == ""
    assert decoded.ended


def test_bytes_that_are_no_text_are_replaced() -> None:
    decoded = DecodedText()
    assert decoded.feed(b"a\xff") + decoded.finish() == "a�"
