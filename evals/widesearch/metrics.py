"""The preprocessors and metrics as their names promise.

They differ from :mod:`.official_metrics` in what is said there, and in that cells which say that
there is nothing ("N/A", "-", "无", an empty one) equal each other and nothing else.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from urllib.parse import urlsplit

from ...agent.tables.values import iso_date
from .official_metrics import NO_NUMBER
from .tasks import ColumnRule, Metric, Preprocess

_MISSING = frozenset(
    {"", "-", "–", "—", "--", "n/a", "na", "nan", "null", "none", "unknown", "notavailable"}
    | {"无", "未知", "不详", "暂无", "notfound", NO_NUMBER.lower()}
)
_SPACES = re.compile(r"[\s*]+")
_MINUS = str.maketrans("−–", "--")
_GROUPED = re.compile(r"(?<=\d)[,\u00a0\u2009\u202f](?=\d{3}(?!\d))")
_NUMBER = re.compile(r"(?:(?<![\w.])[-+])?(?:\d+(?:\.\d+)?|\.\d+)\s?%?")
_PLAIN_NUMBER = re.compile(r"[-+]?\d+(?:\.\d+)?")
_ADDRESS = re.compile(r"https?://[^\s|<>()\"']+|\b(?:[a-z0-9-]+\.)+[a-z]{2,}\b(?:/[^\s|<>()\"']*)?")
_ROUNDING = 1e-9
_NEAR = timedelta(days=31)


def folded(text: str) -> str:
    """``text`` without case, width, white space and emphasis marks."""
    if text.isascii():
        return _SPACES.sub("", text).lower()
    return _SPACES.sub("", unicodedata.normalize("NFKC", text)).casefold()


def is_missing(text: str) -> bool:
    """Whether a cell says that it has nothing to say."""
    return folded(text) in _MISSING


def extract_number(content: str) -> str:
    """The first number, with its percent sign; what stands there if there is no number."""
    found = _NUMBER.search(
        unicodedata.normalize("NFKC", _GROUPED.sub("", content.translate(_MINUS)))
    )
    if found:
        return found[0].replace(" ", "")
    return NO_NUMBER if is_missing(content) else folded(content)


def norm_date(content: str) -> str:
    return iso_date(content) or folded(content)


def exact_match(response: str, gold: str, rule: ColumnRule) -> float:
    return float(_same(response, gold))


def url_match(response: str, gold: str, rule: ColumnRule) -> float:
    got, wanted = _hosts(response), _hosts(gold)
    return float(got == wanted if got or wanted else _same(response, gold))


def in_match(response: str, gold: str, rule: ColumnRule) -> float:
    if is_missing(response) or is_missing(gold):
        return float(is_missing(response) and is_missing(gold))
    return float(folded(response) in folded(gold))


def number_near(response: str, gold: str, rule: ColumnRule) -> float:
    """Within the relative tolerance; where one side alone has a percent sign, by either reading."""
    got, wanted = _readings(response), _readings(gold)
    if not got or not wanted:
        return float(not got and not wanted and _same(response, gold))
    if ("%" in response) == ("%" in gold):
        got, wanted = got[:1], wanted[:1]
    return float(any(_near(a, b, rule.tolerance) for a in got for b in wanted))


def date_near(response: str, gold: str, rule: ColumnRule) -> float:
    got, wanted = iso_date(response), iso_date(gold)
    if not got or not wanted:
        return float(not got and not wanted and _same(response, gold))
    return float(abs(date.fromisoformat(got) - date.fromisoformat(wanted)) <= _NEAR)


def _same(response: str, gold: str) -> bool:
    a, b = folded(response), folded(gold)
    if a == b or (a in _MISSING and b in _MISSING):
        return True
    if _PLAIN_NUMBER.fullmatch(a) and _PLAIN_NUMBER.fullmatch(b):
        try:
            return Decimal(a) == Decimal(b)
        except InvalidOperation:
            return False
    return False


def _hosts(text: str) -> set[str]:
    hosts = set()
    for address in _ADDRESS.findall(text.lower()):
        try:
            host = urlsplit(address if "://" in address else f"http://{address}").hostname
        except ValueError:
            continue
        if host:
            hosts.add(host.rstrip(".").removeprefix("www."))
    return hosts


def _readings(text: str) -> list[float]:
    """The number of ``text``; with a percent sign first as a fraction, then as written."""
    try:
        number = float(text.replace("%", ""))
    except ValueError:
        return []
    return [number / 100, number] if "%" in text else [number]


def _near(got: float, wanted: float, tolerance: float) -> bool:
    return abs(got - wanted) <= abs(wanted) * tolerance + _ROUNDING * abs(wanted)


PREPROCESSORS: Mapping[Preprocess, Callable[[str], str]] = {
    "norm_str": folded,
    "extract_number": extract_number,
    "norm_date": norm_date,
}

CELL_METRICS: Mapping[Metric, Callable[[str, str, ColumnRule], float]] = {
    "exact_match": exact_match,
    "url_match": url_match,
    "in_match": in_match,
    "number_near": number_near,
    "date_near": date_near,
}
"""All but ``llm_judge``, which a judge answers for a whole column."""
