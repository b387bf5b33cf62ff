"""Evidence in its surroundings: highlighted in a terminal, between marks elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..evidence import Evidence, Page
from ..safe_text import safe_line, safe_text

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

_OPENING, _CLOSING = "»", "«"
_BAR_CELLS = 8
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_INDENT = 4
_TITLE_CHARS = 120


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A piece of evidence as it is shown: safe text, cut between words."""

    number: int
    score: float
    best_score: float
    title: str
    place: str
    """Where it was found: path or address, page of a paged document, characters."""
    before: str
    quote: str
    after: str


def excerpts(evidence: Sequence[Evidence], pages: Sequence[Page], *, context: int) -> list[Excerpt]:
    """The evidence of one question, in its order, each with ``context`` characters on both sides."""
    by_id = {page.page_id: page for page in pages}
    best = max((found.score for found in evidence), default=0.0)
    return [
        _excerpt(number, found, best, by_id[found.span.page_id], context)
        for number, found in enumerate(evidence, start=1)
    ]


def plain(shown: Excerpt) -> str:
    """For pipes and files: the evidence stands between » and «."""
    quote = f"{shown.before}{_OPENING}{shown.quote}{_CLOSING}{shown.after}"
    lines = [f"    {line}".rstrip() for line in quote.split("\n")]
    head = f"{shown.number}. {shown.score:.3f}  {shown.title}\n    {shown.place}"
    return "\n".join([head, "", *lines])


def print_highlighted(shown: Excerpt, console: Console) -> None:
    """For terminals: the evidence stands out by colour, or by marks where there is none."""
    from rich.padding import Padding
    from rich.text import Text

    share = shown.score / shown.best_score if shown.best_score > 0 else 0.0
    head = Text(f"{shown.number:>2}  ")
    head.append(_bar(share), "yellow")
    head.append(f"  {shown.score:.3f}  ")
    head.append(shown.title, "bold")
    console.print(head)
    console.print(Padding(Text(shown.place, "dim", overflow="fold"), (0, 0, 1, _INDENT)))
    console.print(Padding(_body(shown, console), (0, _INDENT, 1, _INDENT)))


def _excerpt(number: int, found: Evidence, best: float, page: Page, context: int) -> Excerpt:
    span, text = found.span, page.text
    start, end = max(0, span.start - context), min(len(text), span.end + context)
    before, after = text[start : span.start], text[span.end : end]
    if start > 0:
        before = f"… {_from_word(before, text[start - 1])}" if before.strip() else before
    if end < len(text):
        after = f"{_to_word(after, text[end])} …" if after.strip() else after
    return Excerpt(
        number=number,
        score=found.score,
        best_score=best,
        title=safe_line(page.title or page.url, _TITLE_CHARS),
        place=_place(found, page),
        before=safe_text(before),
        quote=safe_text(span.quote),
        after=safe_text(after),
    )


def _from_word(text: str, previous: str) -> str:
    """``text`` without what is left of a word that was cut, if any whole one follows."""
    if previous.isspace() or text[:1].isspace():
        return text.lstrip()
    head, space, rest = text.partition(" ")
    return rest.lstrip() if space and rest.strip() and len(head) < 40 else text


def _to_word(text: str, following: str) -> str:
    if following.isspace() or text[-1:].isspace():
        return text.rstrip()
    rest, space, tail = text.rpartition(" ")
    return rest.rstrip() if space and rest.strip() and len(tail) < 40 else text


def _place(found: Evidence, page: Page) -> str:
    from ..tools.headings import Headings

    parts = [address(page)]
    first, last = page.sheet_number(found.span.start), page.sheet_number(found.span.end - 1)
    if first:
        parts.append(f"page {first}" if first == last else f"pages {first}–{last}")
    section = Headings(page.text).above(found.span.start)
    if section and section != page.title:
        parts.append(safe_line(section.removeprefix(f"{page.title} › "), _TITLE_CHARS))
    parts.append(f"characters {found.span.start:,}–{found.span.end:,}")
    return " · ".join(parts)


def address(page: Page) -> str:
    """A page's address for people: the path of a file, as short as it can be."""
    path = local_path(page)
    if path is None:
        return safe_line(page.final_url)
    return safe_line(os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path))


def local_path(page: Page) -> Path | None:
    """The file that a page was read from; None for one from the web."""
    from ..tools.corpus_sources import path_of, printable

    if not page.final_url.startswith("file:"):
        return None
    return Path(printable(path_of(page.final_url)))


def _bar(share: float) -> str:
    """``share`` of a full bar, to an eighth of a cell; never empty."""
    eighths = max(1, round(min(max(share, 0.0), 1.0) * _BAR_CELLS * 8))
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(_BAR_CELLS)


def _body(shown: Excerpt, console: Console) -> Text:
    from rich.text import Text

    before, quote, after = _fitted(shown, console.width - 2 * _INDENT)
    if not console.color_system or console.no_color:
        return Text(f"{before}{_OPENING}{quote}{_CLOSING}{after}", overflow="fold")
    text = Text(overflow="fold")
    text.append(before, "dim")
    text.append(quote, "black on yellow")
    text.append(after, "dim")
    return text


def _fitted(shown: Excerpt, width: int) -> tuple[str, str, str]:
    """The parts as they are; where lines are wider than ``width``, with sentences on one line each.

    A terminal would break a hard-wrapped text twice otherwise.
    """
    from rich.cells import cell_len

    from ..segmentation import sentences

    whole = f"{shown.before}{shown.quote}{shown.after}"
    if all(cell_len(line) <= width for line in whole.split("\n")):
        return shown.before, shown.quote, shown.after
    characters = list(whole)
    for start, end in sentences(whole):
        characters[start:end] = whole[start:end].replace("\n", " ")
    whole, first = "".join(characters), len(shown.before)
    last = first + len(shown.quote)
    return whole[:first], whole[first:last], whole[last:]
