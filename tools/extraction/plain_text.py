"""Markdown, reStructuredText, source code and other text: kept as they are."""

from __future__ import annotations

import re

from ...errors import ExtractionError
from .document import Extracted, language_of, normalised, one_line

_MARKDOWN_HEADING = re.compile(r"^#{1,2}\s+(.+?)\s*#*$", re.MULTILINE)
_UNDERLINED_HEADING = re.compile(r"^(\S.*)\n([=\-~^\"'*+#])\2{2,}$", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)
_FRONT_MATTER_TITLE = re.compile(r"^title:\s*[\"']?(.+?)[\"']?\s*$", re.MULTILINE)
_TITLE_WITHIN = 4000


def extract_text(text: str, *, name: str, media_type: str) -> Extracted:
    """``text`` normalised, with the title its first heading gives.

    Raises:
        ExtractionError: nothing but white space.
    """
    text = normalised(text)
    if not text:
        raise ExtractionError(f"'{name}' is empty", remedy="check the file")
    return Extracted(media_type, _title(text), text, language_of(text))


def _title(text: str) -> str:
    head = text[:_TITLE_WITHIN]
    if (matter := _FRONT_MATTER.match(head)) and (title := _FRONT_MATTER_TITLE.search(matter[1])):
        return one_line(title[1])
    found = [
        match
        for pattern in (_MARKDOWN_HEADING, _UNDERLINED_HEADING)
        if (match := pattern.search(head))
    ]
    return one_line(min(found, key=lambda match: match.start())[1]) if found else ""
