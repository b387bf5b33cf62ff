"""Tables as the official scorer reads them: by pandas, types and all.

What is odd about it, and what :mod:`.tables` does instead:

- Only the first fence marked ``markdown`` counts; without one, the first run of rows with bars,
  whatever it is.
- A bar inside a cell, even an escaped one, breaks the whole table (it scores nothing).
- Columns are typed: one empty cell turns a column of integers into floats, so that "2" becomes
  "2.0" and equals nothing; "N/A" and an empty cell are both "nan"; "007" is 7.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from ...errors import ConfigError
from ...extras import import_extra
from .tables import Table
from .tasks import norm_column

if TYPE_CHECKING:
    import pandas

_FENCE = re.compile(r"```markdown(.*?)```", re.DOTALL)
_ROWS = re.compile(r"(?:\|.*\n?)+")
_LEAST_BARS = 4


class TableUnreadable(ValueError):
    """pandas cannot make a table of it."""


def official_gold_table(csv_text: str) -> Table:
    """Raises TableUnreadable: it is no CSV."""
    return _table(_read(csv_text, ","))


def official_response_table(response: str) -> Table | None:
    """The first fenced table, or what looks like one; None if there is none.

    Raises:
        TableUnreadable: pandas cannot read it.
    """
    markdown = _first_table(response)
    if markdown is None:
        return None
    lines = markdown.strip().split("\n")
    lines[0] = lines[0].replace(" ", "").lower()
    kept = []
    for line in map(str.strip, lines):
        if "|" in line and not set(line) <= set("|- :"):
            kept.append("|".join(part.strip() for part in line.split("|")))
    frame = _read("\n".join(kept), "|")
    return _table(frame.loc[:, ~frame.columns.str.startswith("Unnamed")])


def require_pandas() -> None:
    """Raises ConfigError: pandas 2 is not installed."""
    pandas = import_extra("pandas", extra="widesearch", purpose="the official scorer")
    if not pandas.__version__.startswith("2."):
        raise ConfigError(
            f"pandas {pandas.__version__} types cells unlike the pandas 2 of the official scorer",
            remedy="pip install 'leadline[widesearch]'",
        )


def _first_table(response: str) -> str | None:
    if fenced := _FENCE.search(response):
        return fenced[1]
    bars = [match.start() for match in re.finditer(r"\|", response)]
    if len(bars) < _LEAST_BARS:
        return None
    start = max(0, response.rfind("\n", 0, bars[0]))
    end = response.find("\n", bars[-1])
    found = _ROWS.search(response[start : None if end == -1 else end])
    return found[0] if found else None


def _read(text: str, separator: str) -> pandas.DataFrame:
    import pandas

    try:
        return pandas.read_csv(io.StringIO(text), sep=separator)
    except (ValueError, OverflowError) as error:
        # pandas' ParserError and EmptyDataError are ValueErrors.
        raise TableUnreadable(str(error)) from error


def _table(frame: pandas.DataFrame) -> Table:
    # By position: two columns may end up under one normalised name.
    columns = [frame.iloc[:, n].astype(str).tolist() for n in range(frame.shape[1])]
    names = tuple(norm_column(str(name)) for name in frame.columns)
    return Table(names, tuple(zip(*columns, strict=True)))
