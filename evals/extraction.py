"""Main text of web pages: ours beside trafilatura alone, on hand-checked news pages.

The article extraction benchmark of Scrapinghub (now Zyte): pages with the bodies of their articles.
Texts are compared by their runs of four words; each page's matches are scaled to one before they
are added up, so that long pages count no more than short ones. Both as in its own evaluation.
"""

from __future__ import annotations

import gzip
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ..cancellation import Cancellation
from ..errors import ExtractionError
from ..progress import Progress
from ..tools.extraction import extract
from .data_files import DataRecord, read_data_file, read_json
from .intervals import bootstrap_of
from .rows import Row

Part = Literal["development", "held-out", "all"]

_SET = "article-extraction"
_RUN = 4
_WORD = re.compile(r"\w+")


class _Article(DataRecord):
    articleBody: str
    url: str


@dataclass(frozen=True, slots=True)
class NewsPage:
    """A page as it was served, and the body of its article as people marked it."""

    key: str
    url: str
    html: bytes
    body: str


@dataclass(frozen=True, slots=True)
class Matches:
    """Runs of four words of one page, as shares that add up to 1 (0 where there are none)."""

    method: str
    key: str
    right: float
    wrong: float
    missed: float


def load(folder: Path, *, part: Part, limit: int | None, seed: int | None) -> list[NewsPage]:
    """The pages of ``ground-truth.json``; rules were developed on the first half of their keys.

    Raises:
        ConfigError: a file is missing or damaged.
    """
    articles = read_json(folder / "ground-truth.json", TypeAdapter(dict[str, _Article]))
    keys = sorted(articles)
    half = (len(keys) + 1) // 2
    keys = {"development": keys[:half], "held-out": keys[half:], "all": keys}[part]
    if seed is not None:
        random.Random(seed).shuffle(keys)
    return [
        NewsPage(
            key,
            articles[key].url,
            gzip.decompress(read_data_file(folder / "html" / f"{key}.html.gz")),
            articles[key].articleBody,
        )
        for key in keys[:limit]
    ]


def measure(
    pages: Sequence[NewsPage], *, cancel: Cancellation, progress: Progress
) -> Iterator[Matches]:
    """Both methods on each page. Blocks.

    Raises:
        Cancelled: ``cancel`` was set.
    """
    methods: dict[str, Callable[[NewsPage], str]] = {
        "leadline": _by_leadline,
        "trafilatura": _by_trafilatura,
    }
    for number, page in enumerate(pages, start=1):
        cancel.check()
        for name, method in methods.items():
            yield compare(name, page.key, method(page), page.body)
        progress("extracting", number, len(pages), "pages")


def compare(method: str, key: str, text: str, body: str) -> Matches:
    """``text`` beside the true ``body``."""
    found, true = _runs(text), _runs(body)
    right = (found & true).total()
    wrong, missed = found.total() - right, true.total() - right
    total = right + wrong + missed or 1
    return Matches(method, key, right / total, wrong / total, missed / total)


def rows(matches: Sequence[Matches]) -> list[Row]:
    """Precision, recall and F1 of each method over all pages."""
    found = []
    for method in dict.fromkeys(match.method for match in matches):
        shares = np.array([(m.right, m.wrong, m.missed) for m in matches if m.method == method])
        for metric, figure in _FIGURES.items():
            low, high = bootstrap_of(shares, figure)
            value = figure(shares)
            found.append(Row(method, "none", _SET, metric, value, low, high, len(shares)))
    return found


def _precision(shares: NDArray[np.float64]) -> float:
    right, wrong, _ = shares.sum(axis=0)
    return float(right / (right + wrong)) if right else 0.0


def _recall(shares: NDArray[np.float64]) -> float:
    right, _, missed = shares.sum(axis=0)
    return float(right / (right + missed)) if right else 0.0


def _f1(shares: NDArray[np.float64]) -> float:
    right, wrong, missed = shares.sum(axis=0)
    return float(2 * right / (2 * right + wrong + missed)) if right else 0.0


_FIGURES = {"precision": _precision, "recall": _recall, "f1": _f1}


def _runs(text: str) -> Counter[tuple[str, ...]]:
    words = _WORD.findall(text)
    return Counter(tuple(words[at : at + _RUN]) for at in range(max(1, len(words) - _RUN + 1)))


def _by_leadline(page: NewsPage) -> str:
    try:
        return extract(page.html, name=page.url, media_type="text/html").text
    except ExtractionError:
        return ""


def _by_trafilatura(page: NewsPage) -> str:
    import trafilatura

    return trafilatura.extract(page.html, include_comments=False) or ""
