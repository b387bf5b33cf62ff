"""The token window that attention reads: an opening, passages under their pages' titles, a question.

The passages come before the question, so that their keys and values do not depend on it and can
be asked again (read once, ask many). Pages are tokenised as plain text: a control token spelled
out in a page stays characters.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from .passages import Passage
from .tokenizer import TextTokenizer

OPENING = "Here are some paragraphs:\n\n"
TITLE_CHARS = 200
"""Characters of a page's title that are read."""
INSTRUCTION = "Find the paragraphs that answer this question.\nQuestion:"
CONTENT_FREE = "N/A"
"""The question that asks nothing: what it attracts, content does not explain (ICR, arXiv 2410.02642)."""

_TURN_START, _TURN_END = "<|im_start|>", "<|im_end|>"


@dataclass(frozen=True, slots=True)
class WindowPassage:
    """A passage and the columns ``[start, stop)`` its text takes in the window."""

    passage: Passage
    start: int
    stop: int
    top: int
    """Where its page's title starts, if that stands above it; ``start`` otherwise."""


@dataclass(frozen=True, slots=True)
class Window:
    """Token ids up to the question, and where each passage stands in them."""

    ids: Sequence[int]
    passages: tuple[WindowPassage, ...]

    @property
    def columns(self) -> tuple[int, int]:
        """From the first passage's title to the last one's end."""
        return self.passages[0].top, self.passages[-1].stop

    @property
    def members(self) -> list[Passage]:
        """The passages in their order."""
        return [placed.passage for placed in self.passages]

    def titled_parts(self, columns: Tensor) -> list[Tensor]:
        """As :meth:`parts`, each with the title above it: a title attracts for its passage."""
        first = self.columns[0]
        return [columns[..., p.top - first : p.stop - first] for p in self.passages]

    def parts(self, columns: Tensor) -> list[Tensor]:
        """What each passage's text has of ``columns``, whose last axis is :attr:`columns`."""
        first = self.columns[0]
        return [columns[..., p.start - first : p.stop - first] for p in self.passages]


@dataclass(frozen=True, slots=True)
class QuestionTokens:
    """Token ids of a question with its instruction; the question's own are ``rows``."""

    ids: tuple[int, ...]
    rows: tuple[int, int]


class WindowBuilder:
    """Builds windows for one tokenizer; in ChatML turns where the model knows them."""

    def __init__(self, tokenizer: TextTokenizer) -> None:
        self.tokenizer = tokenizer
        start, end = tokenizer.control_id(_TURN_START), tokenizer.control_id(_TURN_END)
        plain = self._ids(OPENING)
        if start is None or end is None:
            self._before, self._after = plain, self._ids("\nAnswer:")
        else:
            self._before = [start, *self._ids("user\n"), *plain]
            self._after = [end, *self._ids("\n"), start, *self._ids("assistant\n")]
        self._instruction = self._ids(INSTRUCTION)
        self._gap = self._ids("\n\n")

    def build(self, passages: Sequence[Passage]) -> Window:
        """The window of ``passages`` in the given order, those of a page under one title."""
        ids = array("i", self._before)
        placed: list[WindowPassage] = []
        page_id = None
        for passage in passages:
            top = len(ids)
            if passage.page.page_id != page_id:
                ids.extend(self._header(passage))
            start = len(ids)
            ids.extend(self._ids(passage.text))
            placed.append(WindowPassage(passage, start, len(ids), top))
            ids.extend(self._gap)
            page_id = passage.page.page_id
        return Window(ids, tuple(placed))

    def split(self, passages: Sequence[Passage], limit: int) -> Iterator[list[Passage]]:
        """Runs of neighbouring passages that make windows of at most ``limit`` tokens.

        A longer passage is alone.
        """
        run: list[Passage] = []
        room = 0
        for passage in passages:
            size = self.size(passage)
            if run and size > room:
                yield run
                run = []
            if not run:
                room = limit - len(self._before)
            run.append(passage)
            room -= size
        if run:
            yield run

    def offsets(self, passage: Passage) -> list[tuple[int, int]]:
        """For each column of a passage, the characters of its page's text that it was made from."""
        tokens = self.tokenizer.encode(passage.text)
        return [(passage.start + a, passage.start + b) for a, b in tokens.offsets]

    def size(self, passage: Passage) -> int:
        """Tokens that a passage takes at most, its title included."""
        text = self.tokenizer.encode(passage.text)
        return len(self._header(passage)) + len(text.ids) + len(self._gap)

    def overhead(self, question: str) -> int:
        """Tokens that a window with ``question`` and the content-free one takes besides passages."""
        asked = max(len(self.ask(question).ids), len(self.ask(CONTENT_FREE).ids))
        return len(self._before) + asked

    def ask(self, question: str) -> QuestionTokens:
        """The tokens that come after the window."""
        asked = self._ids(f" {question.strip()}")
        start = len(self._instruction)
        ids = (*self._instruction, *asked, *self._after)
        return QuestionTokens(ids, (start, start + len(asked)))

    def _header(self, passage: Passage) -> list[int]:
        title = passage.page.title[:TITLE_CHARS]
        return self._ids(f"{title}\n") if title else []

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text).ids
