"""Telling pages that are nearly the same: copies with another banner, mirrors, printed views.

MinHash over runs of five words (Broder, "On the resemblance and containment of documents", 1997)
estimates the share of runs that two texts have in common; bands of it find candidates without
comparing everything with everything (Leskovec, Rajaraman and Ullman, "Mining of Massive
Datasets", §3.4).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..evidence import Page

NEARLY_THE_SAME = 0.8
"""Resemblance from which two texts count as one."""

_RUN = 5
_HASHES = 64
_BANDS = 16
_CHUNK = 4096
_PRIME = np.uint64(2**31 - 1)
# Han and kana have no spaces between words: each character counts as one.
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+")
_random = np.random.default_rng(1997)
_FACTORS = _random.integers(1, 2**31 - 1, _HASHES, dtype=np.uint64)
_OFFSETS = _random.integers(0, 2**31 - 1, _HASHES, dtype=np.uint64)


def sketch(text: str) -> bytes:
    """The MinHash of ``text``, 256 bytes; the same on every machine."""
    words = _WORD.findall(text.lower())
    runs = {" ".join(words[i : i + _RUN]) for i in range(max(1, len(words) - _RUN + 1))}
    hashes = np.fromiter((zlib.crc32(run.encode()) for run in runs), np.uint64, len(runs))
    hashes %= _PRIME
    least = np.full(_HASHES, _PRIME, np.uint64)
    for start in range(0, len(hashes), _CHUNK):
        # Factors and hashes are below 2^31: their products fit 64 bits.
        mixed = (hashes[start : start + _CHUNK, None] * _FACTORS + _OFFSETS) % _PRIME
        np.minimum(least, mixed.min(axis=0), out=least)
    return least.astype("<u4").tobytes()


def resemblance(first: bytes, second: bytes) -> float:
    """The estimated share of word runs that the texts of two sketches have in common, 0 to 1."""
    return float(np.mean(_numbers(first) == _numbers(second)))


def bands(sketched: bytes) -> list[int]:
    """Sixteen numbers; texts that resemble each other by 0.8 share one with a chance of 99.98 %."""
    width = len(sketched) // _BANDS
    return [zlib.crc32(sketched[i * width : (i + 1) * width]) for i in range(_BANDS)]


def distinct(pages: Iterable[Page]) -> list[Page]:
    """``pages`` in their order, without those that nearly repeat an earlier one."""
    kept: list[tuple[Page, bytes]] = []
    for page in pages:
        mark = sketch(page.text)
        if not any(resemblance(mark, other) >= NEARLY_THE_SAME for _, other in kept):
            kept.append((page, mark))
    return [page for page, _ in kept]


def _numbers(sketched: bytes) -> NDArray[np.uint32]:
    return np.frombuffer(sketched, dtype="<u4")
