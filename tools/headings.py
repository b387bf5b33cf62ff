"""Under which headings a passage stands."""

from __future__ import annotations

import bisect
import re

_LINE = re.compile(r"^(?:(#{1,6})[ \t]+(.+?)[ \t#]*|(```|~~~).*)$", re.MULTILINE)
_DEPTH = 3
"""Innermost headings that are kept of a path."""


class Headings:
    """The Markdown headings of a text, and the path of them above any offset."""

    def __init__(self, text: str) -> None:
        self._offsets: list[int] = []
        self._paths: list[str] = []
        path: list[tuple[int, str]] = []
        fence = ""
        for match in _LINE.finditer(text):
            mark, title, line_fence = match.groups()
            if line_fence:
                fence = line_fence if not fence else "" if line_fence == fence else fence
            elif not fence:
                path = [entry for entry in path if entry[0] < len(mark)]
                path.append((len(mark), title))
                self._offsets.append(match.start())
                self._paths.append(" › ".join(title for _, title in path[-_DEPTH:]))

    def above(self, offset: int) -> str:
        """ "Joins › Left joins": the headings that the character at ``offset`` stands under."""
        place = bisect.bisect_right(self._offsets, offset)
        return self._paths[place - 1] if place else ""
