"""Which of several rows a sentence speaks of.

Passages that tell of one row after the other (modes, models, towns) give a small model every row's
values at once. A value belongs to a row only where the text speaks of that row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...segmentation import Offsets, sentences

Names = Sequence[str]
"""What the keys of one row say."""

_NOBODY: frozenset[int] = frozenset()


class RowMentions:
    """Finds rows, told by number, in text."""

    def __init__(self, rows: Sequence[Names]) -> None:
        """``rows`` are the key values of each row."""
        self._patterns = [[_name_pattern(name) for name in names if name.strip()] for names in rows]

    def in_sentences(self, text: str, under: str) -> list[tuple[Offsets, frozenset[int]]]:
        """Each sentence of ``text``, and the rows it speaks of.

        A sentence that names no row goes on about those of the one before; the first sentences
        are about the rows that ``under``, the page's title and headings, names.
        """
        about = self.named_in(under)
        found = []
        for start, end in sentences(text):
            about = self.named_in(text[start:end]) or about
            found.append(((start, end), about))
        return found

    def named_in(self, text: str) -> frozenset[int]:
        """The rows of which ``text`` has most key values: none if it has no key of any row."""
        counts = [sum(bool(each.search(text)) for each in names) for names in self._patterns]
        most = max(counts, default=0)
        if not most:
            return _NOBODY
        return frozenset(row for row, count in enumerate(counts) if count == most)


def words_pattern(words: str, flags: re.RegexFlag) -> re.Pattern[str]:
    """``words``, of which there is one at least, as whole words."""
    parts = words.split()
    # Word ends do not exist between CJK characters.
    start = r"(?<![^\W_])" if parts[0][0].isascii() else ""
    end = r"(?![^\W_])" if parts[-1][-1].isascii() else ""
    return re.compile(start + r"\s+".join(map(re.escape, parts)) + end, flags)


def _name_pattern(name: str) -> re.Pattern[str]:
    """In capitals only where ``name`` is: the mode OFF is not the word "off"."""
    return words_pattern(name, re.NOFLAG if name.isupper() else re.IGNORECASE)
