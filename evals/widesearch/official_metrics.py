"""The official preprocessors and metrics, with all their quirks.

Kept for scores that can be set beside published ones. What is odd about them:

- ``url_match`` compares host names to the letter (``www.`` counts), and two cells without any
  address match each other.
- ``in_match`` takes an empty cell for ``nan``, which stands in "finance" and the like.
- ``extract_number`` takes the hyphen of "2020-2024" for a sign, and glues "3,4" into 34.
- ``number_near`` holds 100 % and 100 apart.
- ``norm_date`` and ``date_near`` read "2024" as this month of 2024, and two cells that are no
  dates at all are near each other.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from .tasks import ColumnRule, Metric, Preprocess

_NUMBER = re.compile(r"[-+]?\d*\.\d+%?|[-+]?\d+\.?\d*%?")
_URL = re.compile(r"https?://(?:[a-zA-Z0-9]|[$-_@.&+]|[!*\\(),]|%[0-9a-fA-F]{2})+")
_NEAR_DAYS = 31
NO_NUMBER = "NULL"


def norm_str(content: str) -> str:
    return content.lower().strip().replace(" ", "").replace("*", "")


def extract_number(content: str) -> str:
    found = _NUMBER.search(content.replace(",", ""))
    return found[0] if found else NO_NUMBER


def norm_date(content: str) -> str:
    date = _parsed_date(content)
    return content if date is None else date.strftime("%Y-%m-%d")


def exact_match(response: str, gold: str, rule: ColumnRule) -> float:
    return float(response.lower() == gold.lower())


def url_match(response: str, gold: str, rule: ColumnRule) -> float:
    hosts = [{urlsplit(url).netloc for url in _URL.findall(text)} for text in (response, gold)]
    return float(hosts[0] == hosts[1])


def in_match(response: str, gold: str, rule: ColumnRule) -> float:
    return float(response in gold)


def number_near(response: str, gold: str, rule: ColumnRule) -> float:
    got, wanted = _number(response), _number(gold)
    if got is None or wanted is None:
        return float(got is None and wanted is None and response == gold)
    return float(abs(got - wanted) <= abs(wanted) * rule.tolerance)


def date_near(response: str, gold: str, rule: ColumnRule) -> float:
    got, wanted = _parsed_date(response), _parsed_date(gold)
    if got is None or wanted is None:
        return float(got is None and wanted is None)
    return float(abs((got - wanted).days) <= _NEAR_DAYS)


def _number(content: str) -> float | None:
    try:
        return float(content.replace("%", "")) / 100 if "%" in content else float(content)
    except ValueError:
        return None


@functools.lru_cache(maxsize=1 << 16)
def _parsed_date(content: str) -> datetime | None:
    import dateparser

    parsed: datetime | None = dateparser.parse(content, settings={"PREFER_DAY_OF_MONTH": "first"})
    return parsed


PREPROCESSORS: Mapping[Preprocess, Callable[[str], str]] = {
    "norm_str": norm_str,
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
