"""Cells as they are shown, compared and held against constraints."""

from __future__ import annotations

import functools
import re
from datetime import datetime
from typing import Any

from ..grounding import fold
from .schema import ColumnType, Constraint

MISSING = "-"
"""What a cell without a value shows. "N/A" would make pandas read a column as floats."""

_NOTE_MARK = re.compile(r"\[(?:\d{1,3}|[a-z]{1,2}|note \d+|citation needed)\]", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_KEY_NOISE = re.compile(r"[\s*'\"“”‘’.,_()\[\]-]+")
_GROUPED = re.compile(r"(?<=\d)[,\u00a0\u2009\u202f' ](?=\d{3}(?!\d))")
_NUMBER = re.compile(r"(?:(?<![\w.])[-+−])?(?:\d+(?:\.\d+)?|\.\d+)")
_SCALES = (("trillion", 1e12), ("billion", 1e9), ("million", 1e6), ("亿", 1e8), ("万", 1e4))
_HOST = re.compile(r"(?:https?://)?(?:www\.)?([^\s/|<>()]+\.[a-z]{2,}[^\s|<>()]*)", re.IGNORECASE)
_NOTHING = frozenset(
    {
        "",
        "-",
        "–",
        "—",
        "--",
        "n/a",
        "na",
        "none",
        "null",
        "unknown",
        "tbd",
        "tba",
        "?",
        "无",
        "未知",
    }
)


def shown(text: str) -> str:
    """A cell's text on one line, without bars, footnote marks and code fences."""
    text = _NOTE_MARK.sub("", text.replace("\\|", "|").replace("|", "/").replace("`", "'"))
    text = _SPACES.sub(" ", text.replace("<br>", " ")).strip()
    return "" if fold(text) in _NOTHING else text


def normalised(text: str, kind: ColumnType) -> str:
    """What two cells that say the same have in common: a plain number, an ISO date, a host …"""
    if kind == "number" and (number := number_in(text)) is not None:
        return f"{number:.12g}"
    if kind == "date" and (date := iso_date(text)):
        return date
    if kind == "url" and (host := _HOST.search(text)):
        return host[1].rstrip("/").casefold()
    return " ".join(fold(text).replace("*", "").split())


def key_part(text: str) -> str:
    """A key's text without the differences that do not tell rows apart."""
    return _KEY_NOISE.sub("", fold(shown(text))) or fold(text).strip()


def number_in(text: str) -> float | None:
    """The first number, scaled by the word behind it ("1.2 million")."""
    plain = _GROUPED.sub("", fold(text).replace("−", "-"))
    found = _NUMBER.search(plain)
    if not found:
        return None
    behind = plain[found.end() :].lstrip()
    scale = next((factor for word, factor in _SCALES if behind.startswith(word)), 1.0)
    return float(found[0]) * scale


def satisfies(text: str, kind: ColumnType, constraint: Constraint) -> bool:
    """Whether a cell meets a constraint; where the two cannot be compared, it does."""
    if constraint.comparison == "contains":
        return fold(constraint.value) in fold(text)
    if constraint.comparison in ("=", "!="):
        wanted, got = (normalised(each, kind) for each in (constraint.value, text))
        same = wanted == got or (kind == "text" and wanted in got)
        return same == (constraint.comparison == "=")
    left, right = _ordered(text, kind), _ordered(constraint.value, kind)
    if left is None or right is None:
        return True
    return {
        "<": left < right,
        "<=": left <= right,
        ">": left > right,
        ">=": left >= right,
    }[constraint.comparison]


def _ordered(text: str, kind: ColumnType) -> float | None:
    if kind == "date" and (date := iso_date(text)):
        return datetime.fromisoformat(date).timestamp()
    return number_in(text)


@functools.lru_cache(maxsize=1 << 14)
def iso_date(text: str) -> str:
    """The date that ``text`` is, as ISO; empty if it is none. A year alone is its first day.

    It never depends on the day on which it is asked.
    """
    text = text.strip()
    try:
        return datetime.fromisoformat(text).date().isoformat()
    except ValueError:
        if not re.search(r"\d", text) or len(text) > 60:
            return ""
    moment = _date_parser().get_date_data(text).date_obj
    return moment.date().isoformat() if moment else ""


@functools.cache
def _date_parser() -> Any:
    from dateparser.date import DateDataParser

    settings = {
        "PREFER_DAY_OF_MONTH": "first",
        "PREFER_MONTH_OF_YEAR": "first",
        "RELATIVE_BASE": datetime(2000, 1, 1),
        "PARSERS": ["absolute-time"],
    }
    return DateDataParser(languages=["en", "zh"], settings=settings)
