"""Pages for the test site: generated ones, or the files of a folder."""

from __future__ import annotations

import html
import mimetypes
import random
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_TAG = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_SNIPPET = 200
_WORDS = re.findall(
    r"\w+",
    "anchor ballast berth bilge bowline buoy cable capstan channel chart compass current draught "
    "estuary fathom ferry fender harbour hawser helm hull jetty keel knot ledge lighthouse mast "
    "mooring pilot port quay reef rigging rudder sail shoal sounding stern strait tide tiller "
    "warden wharf windlass yard",
)


@dataclass(frozen=True)
class ServedPage:
    """What lies at one path."""

    body: bytes
    media_type: str = "text/html; charset=utf-8"

    @cached_property
    def text(self) -> str:
        shown = _TAG.sub(" ", self.body.decode("utf-8", "replace"))
        return " ".join(html.unescape(shown).split())

    @cached_property
    def title(self) -> str:
        found = _TITLE.search(self.body.decode("utf-8", "replace"))
        return " ".join(html.unescape(found[1]).split()) if found else ""

    @cached_property
    def words(self) -> Counter[str]:
        return Counter(re.findall(r"\w+", self.text.lower()))

    @property
    def snippet(self) -> str:
        return self.text[:_SNIPPET]


def generated_pages(count: int, *, paragraphs: int = 12, seed: int = 0) -> dict[str, ServedPage]:
    """``count`` pages under /buoy/N, each with one fact of its own, linked from the start page."""
    pages = {f"/buoy/{n}": ServedPage(_page(n, paragraphs, seed)) for n in range(count)}
    links = "".join(f'<li><a href="{path}">{path}</a></li>' for path in pages)
    index = f"<html lang=en><title>Buoys</title><h1>Buoys</h1><ul>{links}</ul></html>"
    return {"/": ServedPage(index.encode()), **pages}


def depth_at(buoy: int) -> int:
    """Fathoms, as the page of ``buoy`` states them."""
    return 3 + buoy * 7 % 90


def folder_pages(folder: Path) -> dict[str, ServedPage]:
    """The files of ``folder`` that a browser would show as text, by their paths."""
    pages = {}
    for path in sorted(folder.rglob("*")):
        media_type, encoding = mimetypes.guess_type(path.name)
        readable = (media_type or "").startswith("text/") or media_type == "application/pdf"
        if path.is_file() and readable and encoding is None:
            name = f"/{path.relative_to(folder).as_posix()}"
            pages[name] = ServedPage(path.read_bytes(), str(media_type))
    return pages


def best_matches(pages: Mapping[str, ServedPage], query: str, limit: int) -> list[str]:
    """Paths of the pages that share most words with ``query``, rare words counting more."""
    asked = set(re.findall(r"\w+", query.lower()))
    spread = {word: sum(word in page.words for page in pages.values()) for word in asked}
    scores = {
        path: sum(1 / spread[word] for word in asked if word in page.words)
        for path, page in pages.items()
    }
    ranked = sorted(scores, key=lambda path: -scores[path])
    return [path for path in ranked if scores[path] > 0][:limit]


def _page(number: int, paragraphs: int, seed: int) -> bytes:
    words = random.Random(f"{seed}/{number}")
    prose = [
        "<p>" + " ".join(words.choices(_WORDS, k=60)).capitalize() + ".</p>"
        for _ in range(paragraphs)
    ]
    fact = f"<p>The water at buoy {number} is {depth_at(number)} fathoms deep at low tide.</p>"
    prose.insert(words.randrange(paragraphs + 1), fact)
    return (
        f"<!doctype html><html lang=en><head><title>Buoy {number}</title></head><body>"
        f"<article><h1>Buoy {number}</h1>{''.join(prose)}</article></body></html>"
    ).encode()
