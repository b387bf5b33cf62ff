"""Text from strangers on its way to a terminal or into a page that is made of it.

Characters are replaced one by one, so that offsets still fit.
"""

from __future__ import annotations

import re

# Control characters (an escape sequence begins with one), line ends that only some programmes
# know, characters that turn the direction of writing, and halves of surrogate pairs.
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def safe_text(text: str) -> str:
    """``text`` with U+FFFD for what a terminal or a browser would obey instead of show.

    Line feeds and tabs stay.
    """
    return _UNSAFE.sub("\ufffd", text)


def safe_line(text: str, limit: int | None = None) -> str:
    """``text``, made safe, on one line; of ``limit`` characters at most, an ellipsis included."""
    line = " ".join(safe_text(text).split())
    return line if limit is None or len(line) <= limit else f"{line[: limit - 1].rstrip()}…"
