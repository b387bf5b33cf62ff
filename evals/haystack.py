"""Long texts made of whole pages, and hiding needles in them."""

from __future__ import annotations

import bisect
import random
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from ..cancellation import Cancellation
from ..errors import ConfigError
from ..evidence import Page
from ..progress import Progress
from ..runtime.made_pages import made_page
from ..segmentation import sentences
from ..tools.extraction import extract
from .data_files import DataRecord, read_data_file, read_json

TokenCounter = Callable[[str], int]

_SENTENCE_END = re.compile(r"[.!?](?:\[\d+\])*[\"'”’)]*\Z")
"""Of running text, Wikipedia's notes included; headings and table rows end otherwise."""
_TAIL_CHARS = 40


class _PageRecord(DataRecord):
    title: str


@dataclass(frozen=True, slots=True)
class Haystack:
    """Pages in order, and how many tokens they have together."""

    pages: tuple[Page, ...]
    tokens: int


@dataclass(frozen=True, slots=True)
class Insertion:
    """A text to hide at ``depth``: 0 is the haystack's beginning, 1 its end."""

    depth: float
    text: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a hidden text starts."""

    page_id: str
    start: int


def build_haystacks(
    folder: Path,
    sizes: Sequence[int],
    count_tokens: TokenCounter,
    *,
    seed: int | None,
    cancel: Cancellation,
    progress: Progress,
) -> dict[int, Haystack]:
    """A haystack of about each size in tokens, of the pages under ``folder/page``. Blocks.

    A smaller one is the beginning of a larger one. Pages come in the order of their paths, or
    shuffled by ``seed``; the last one is cut behind a sentence.

    Raises:
        ConfigError: a page is missing or damaged, or all are less than the largest size.
        ExtractionError: a page holds no text.
        Cancelled: ``cancel`` was set.
    """
    paths = sorted((folder / "page").glob("*/*.html"))
    if seed is not None:
        random.Random(seed).shuffle(paths)
    wanted = sorted(set(sizes))
    haystacks: dict[int, Haystack] = {}
    pages: list[Page] = []
    total = 0
    for path in paths:
        cancel.check()
        page = _read_page(path)
        tokens = count_tokens(page.text)
        while wanted and total + tokens >= wanted[0]:
            size = wanted.pop(0)
            last = _cut(page, (size - total) / tokens)
            haystacks[size] = Haystack((*pages, last), total + count_tokens(last.text))
        if not wanted:
            progress("haystack", max(sizes), max(sizes), "tokens")
            return haystacks
        pages.append(page)
        total += tokens
        progress("haystack", total, max(sizes), "tokens")
    raise ConfigError(
        f"the pages under {folder / 'page'} have {total:,} tokens, {wanted[-1]:,} were asked for",
        remedy="give a smaller --tokens, or all of the wikitables data",
    )


def hide(
    pages: Sequence[Page], insertions: Sequence[Insertion], *, how: Literal["paragraph", "sentence"]
) -> tuple[list[Page], list[Place]]:
    """``pages`` with the insertions in them, and where each of those now stands, in their order.

    A depth is a share of all characters. What goes there stands behind the nearest sentence of
    running text of the page that holds it (at the page's end if it has none), as a paragraph of
    its own or as a further sentence. Insertions at the same sentence keep their order.
    """
    starts = list(accumulate((len(page.text) for page in pages), initial=0))
    by_page: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for number, insertion in enumerate(insertions):
        target = insertion.depth * starts[-1]
        place = min(bisect.bisect_right(starts, target), len(pages)) - 1
        by_page[place].append((_sentence_end(pages[place].text, target - starts[place]), number))
    changed = list(pages)
    found: dict[int, Place] = {}
    for place, cuts in by_page.items():
        cuts.sort()
        texts = [(offset, insertions[number].text) for offset, number in cuts]
        text, offsets = _inserted(pages[place].text, texts, how)
        changed[place] = made_page(pages[place].title, text)
        for (_, number), offset in zip(cuts, offsets, strict=True):
            found[number] = Place(changed[place].page_id, offset)
    return changed, [found[number] for number in range(len(insertions))]


def _inserted(
    text: str, cuts: Sequence[tuple[int, str]], how: Literal["paragraph", "sentence"]
) -> tuple[str, list[int]]:
    """``text`` with something more at each offset, and where each of those starts."""
    parts: list[str] = []
    offsets: list[int] = []
    length = done = 0

    def write(part: str) -> None:
        nonlocal length
        if part:
            parts.append(part)
            length += len(part)

    for offset, more in cuts:
        write(text[done:offset])
        if how == "sentence":
            write(" ")
        elif parts[-1:] != ["\n\n"]:
            write("\n\n")
        offsets.append(length)
        write(more)
        done = offset
        if how == "paragraph" and text[done:].strip():
            done += len(text[done:]) - len(text[done:].lstrip())
            write("\n\n")
    write(text[done:])
    return "".join(parts), offsets


def _sentence_end(text: str, target: float) -> int:
    """The end nearest to ``target`` of a sentence of running text; the text's end without one."""
    ends = [
        end
        for _, end in sentences(text)
        if _SENTENCE_END.search(text, max(0, end - _TAIL_CHARS), end)
    ]
    return min(ends, key=lambda end: abs(end - target), default=len(text))


def _cut(page: Page, share: float) -> Page:
    """About ``share`` of a page's text, in whole sentences."""
    ends = [end for _, end in sentences(page.text)]
    wanted = share * len(page.text)
    return made_page(page.title, page.text[: next((e for e in ends if e >= wanted), None)])


def _read_page(path: Path) -> Page:
    record = read_json(path.with_suffix(".json"), TypeAdapter(_PageRecord))
    return made_page(record.title, extract(read_data_file(path), name=str(path)).text)
