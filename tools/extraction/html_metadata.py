"""Who wrote a page and when it was published, as the page itself says."""

from __future__ import annotations

import copy
import logging
from datetime import date

from lxml.html import HtmlElement
from trafilatura.metadata import extract_metadata

from .dates import plausible
from .document import one_line

_MOST_AUTHORS = 20
_NAME_LENGTH = 100

for _library in ("trafilatura", "htmldate"):
    # They report what is wrong with a page to whoever started the programme.
    logging.getLogger(_library).addHandler(logging.NullHandler())


def authors_and_date(tree: HtmlElement) -> tuple[tuple[str, ...], date | None]:
    """The authors, and the day of publication, of a parsed page, from its metadata.

    Read by trafilatura and htmldate from JSON-LD, meta and time elements, bylines and the URL
    that the page gives itself; not guessed from dates in the text.
    """
    try:
        # It edits the tree it is given.
        metadata = extract_metadata(copy.deepcopy(tree), extensive=False)
    except Exception:  # noqa: BLE001 - strangers' markup finds new ways through two libraries
        return (), None
    names = (one_line(name, _NAME_LENGTH) for name in (metadata.author or "").split(";"))
    authors = tuple(dict.fromkeys(name for name in names if any(map(str.isalpha, name))))
    return authors[:_MOST_AUTHORS], _plausible(metadata.date)


def _plausible(written: str | None) -> date | None:
    try:
        day = date.fromisoformat(written or "")
    except ValueError:
        return None
    return plausible(day)
