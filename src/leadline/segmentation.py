"""Cutting text into sentences and passages, by character offsets into the text itself.

Sentence ends are found by sentencex, which knows abbreviations, decimals, URLs and the
terminators of many scripts, Chinese among them. It sees running text only: headings, list items,
table rows, code lines and blank lines are cut apart before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sentencex

Offsets = tuple[int, int]
"""Characters ``[start, end)`` of a text."""

_LINE = re.compile(r"[^\n\r\f\v\x85\u2028\u2029]*(?:\r\n|[\n\r\f\v\x85\u2028\u2029]|\Z)")
_LIST_ITEM = re.compile(
    r"(?:[-*+•‣◦·–]|\(?\d{1,3}[.)]|\(?[A-Za-z][.)]|[（(]?[一二三四五六七八九十]+[）)、])\s"
)
_HEADING = re.compile(r"#{1,6}\s|={3,}|-{3,}|\*{3,}|~{3,}")
_TERMINATORS = tuple(".!?…:;。！？：；।؟")
_CLOSERS = "\"'”’»)]）】」』"
_FOREIGN_TO_SENTENCEX = re.compile(r"\s|[\ud800-\udfff]")

_FULL_LINE = 40
"""A line at least this wide (a CJK character counts twice) may go on in the next one."""

_LONG_BLOCK = 100_000
"""Longest run of text given to the splitter at once."""


def sentences(text: str) -> list[Offsets]:
    """The sentences of ``text`` as offsets: in order, apart, trimmed of white space.

    Every character that is not white space lies in exactly one of them. Blank lines, headings,
    list items, table rows and indented lines end a sentence; a hard-wrapped line does not.
    """
    spans: list[Offsets] = []
    for start, end in _blocks(text):
        spans += _running_sentences(text, start, end)
    return spans


def passages(text: str, *, max_chars: int = 1000, overlap: int = 0) -> list[Offsets]:
    """Consecutive sentences packed into passages of at most ``max_chars`` characters.

    A passage ends at a blank line or before a heading where that leaves it at least half full.
    A sentence longer than ``max_chars`` is cut at white space (inside a word if it has none).
    ``overlap`` repeats up to that many characters, in whole sentences, at the next passage's start.
    Without overlap the passages are disjoint and hold every character that is not white space.

    Raises:
        ValueError: ``max_chars`` is below 1, or ``overlap`` is not in ``[0, max_chars)``.
    """
    if max_chars < 1 or not 0 <= overlap < max_chars:
        raise ValueError(f"passages of {max_chars} characters with an overlap of {overlap}")
    units = [piece for span in sentences(text) for piece in _pieces(text, span, max_chars)]
    spans: list[Offsets] = []
    first = 0
    while first < len(units):
        last = _last_that_fits(text, units, first, max_chars)
        spans.append((units[first][0], units[last][1]))
        first = max(first + 1, _rewind(units, first, last, overlap)) if overlap else last + 1
        if last == len(units) - 1:
            break
    return spans


def _blocks(text: str) -> Iterator[Offsets]:
    """Runs of lines within which no line end is the end of a sentence by itself."""
    start = end = 0
    previous = ""
    for match in _LINE.finditer(text):
        line = match.group()
        if match.start() == match.end():
            continue
        if end > start and not _goes_on(previous, line):
            yield start, end
            start = match.start()
        end, previous = match.end(), line
    if end > start:
        yield start, end


def _goes_on(line: str, following: str) -> bool:
    """Whether ``following`` continues the sentence that ``line`` leaves open."""
    if line.endswith("\f"):
        return False
    line, indent = line.rstrip(), len(following) - len(following.lstrip())
    following = following.strip()
    if not line or not following or _stands_alone(line) or _stands_alone(following):
        return False
    if _LIST_ITEM.match(following) or following[0] in "{}<":
        return False
    if (
        indent >= 4
        and len(line) - len(line.lstrip()) < indent
        and not _LIST_ITEM.match(line.lstrip())
    ):
        return False
    if line.rstrip(_CLOSERS).endswith(_TERMINATORS):
        return False
    return following[0].islower() or _width(line) >= _FULL_LINE


def _stands_alone(line: str) -> bool:
    """Headings, rules and table rows are units of their own."""
    bare = line.strip()
    return (
        bool(_HEADING.match(bare)) or bare.startswith("|") or "\t" in bare or bare.count(" | ") > 1
    )


def _width(line: str) -> int:
    return len(line) + sum(1 for character in line if "\u2e80" <= character <= "\uffef")


def _running_sentences(text: str, start: int, end: int) -> Iterator[Offsets]:
    """Sentences of the running text ``[start, end)``."""
    for block in _pieces(text, (start, end), _LONG_BLOCK):
        # One space for each white-space character: sentencex 1.0 panics on some of the wide ones.
        plain = _FOREIGN_TO_SENTENCEX.sub(" ", text[block[0] : block[1]])
        position = block[0]
        for sentence in sentencex.segment("en", plain):
            yield from _trimmed(text, position, position + len(sentence))
            position += len(sentence)
        yield from _trimmed(text, position, block[1])


def _trimmed(text: str, start: int, end: int) -> Iterator[Offsets]:
    part = text[start:end]
    bare = part.strip()
    if bare:
        start += len(part) - len(part.lstrip())
        yield start, start + len(bare)


def _pieces(text: str, span: Offsets, max_chars: int) -> Iterator[Offsets]:
    """``span`` cut at white space into trimmed pieces of at most ``max_chars``."""
    start, end = span
    while end - start > max_chars:
        cut = start + max_chars
        while cut > start and not text[cut].isspace() and not text[cut - 1].isspace():
            cut -= 1
        if cut == start:
            cut = start + max_chars
        yield from _trimmed(text, start, cut)
        start = cut
        while start < end and text[start].isspace():
            start += 1
    yield from _trimmed(text, start, end)


def _last_that_fits(text: str, units: list[Offsets], first: int, max_chars: int) -> int:
    """Index of the last unit of the passage that starts at unit ``first``."""
    origin = units[first][0]
    last = first
    while last + 1 < len(units) and units[last + 1][1] - origin <= max_chars:
        last += 1
    if last + 1 == len(units):
        return last
    for place in range(last, first - 1, -1):
        if units[place][1] - origin < max_chars / 2:
            break
        if _is_break(text, units[place], units[place + 1]):
            return place
    return last


def _is_break(text: str, unit: Offsets, following: Offsets) -> bool:
    gap = text[unit[1] : following[0]]
    return gap.count("\n") > 1 or "\f" in gap or text.startswith("#", following[0])


def _rewind(units: list[Offsets], first: int, last: int, overlap: int) -> int:
    """Index of the first unit of the next passage, repeating up to ``overlap`` characters."""
    following = last + 1
    end = units[last][1]
    while following - 1 > first and end - units[following - 1][0] <= overlap:
        following -= 1
    return following
