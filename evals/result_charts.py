"""Rows of a result as bars with error whiskers: SVG that stands in a page and takes its colours."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from html import escape

from ..safe_text import safe_line
from .figures import figure, interval
from .rows import Row

_LABELS, _BARS, _VALUES = 300, 380, 80
"""Widths of the three columns, in the units of the drawing."""
_LINE = 22
_BAR = 12
_AXIS = 24
_LABEL_CHARACTERS = 44
_TICKS = 4
"""At least."""
_ROUNDING = 1e-9


def charts(rows: Sequence[Row]) -> list[tuple[str, str]]:
    """Each metric's name with its drawing, in the order of the rows."""
    by_metric: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if all(map(math.isfinite, (row.value, row.low, row.high))):
            by_metric[row.metric].append(row)
    return [(metric, chart(metric, found)) for metric, found in by_metric.items()]


def chart(metric: str, rows: Sequence[Row]) -> str:
    """One metric: a bar for each row from zero to its value, a whisker over its interval."""
    scale = _Scale.over(rows)
    models = {row.model for row in rows}
    height = len(rows) * _LINE + _AXIS
    name = escape(safe_line(metric), quote=True)
    width = _LABELS + _BARS + _VALUES
    parts = [f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{name}">']
    for tick in scale.ticks():
        x = scale.at(tick)
        parts.append(f'<line class="grid" x1="{x}" x2="{x}" y1="0" y2="{height - _AXIS}"/>')
        parts.append(
            f'<text class="tick" x="{x}" y="{height - 6}" text-anchor="middle">'
            f"{figure(tick, short=True)}</text>"
        )
    for place, row in enumerate(rows):
        parts.append(_bar(row, place * _LINE, scale, with_model=len(models) > 1))
    return "".join([*parts, "</svg>"])


class _Scale:
    """Figures as places on the drawing; zero is always among them."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    @classmethod
    def over(cls, rows: Sequence[Row]) -> _Scale:
        low = min(0.0, *(min(row.low, row.value) for row in rows))
        high = max(0.0, *(max(row.high, row.value) for row in rows))
        if low == 0.0 and 0.5 < high <= 1.0:
            high = 1.0  # shares are read against all of them
        return cls(low, high if high > low else low + 1.0)

    def at(self, value: float) -> float:
        return round(_LABELS + (value - self._low) / (self._high - self._low) * _BARS, 1)

    def ticks(self) -> list[float]:
        """Round figures, four to nine of them."""
        rough = (self._high - self._low) / _TICKS
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(nice * power for nice in (5, 2, 1) if nice * power <= rough)
        first, last = math.ceil(self._low / step - _ROUNDING), self._high / step + _ROUNDING
        return [n * step for n in range(first, math.floor(last) + 1)]


def _bar(row: Row, top: int, scale: _Scale, *, with_model: bool) -> str:
    names = [row.set, row.method, *([row.model] if with_model else [])]
    label = safe_line(" · ".join(filter(None, names)))
    middle = top + _LINE / 2
    zero, value = scale.at(0.0), scale.at(row.value)
    low, high = scale.at(row.low), scale.at(row.high)
    told = f"{label}: {figure(row.value)} ({interval(row.low, row.high)}, n = {row.n})"
    return (
        f"<g><title>{escape(told)}</title>"
        f'<text x="{_LABELS - 8}" y="{middle + 4}" text-anchor="end">'
        f"{escape(safe_line(label, _LABEL_CHARACTERS))}</text>"
        f'<rect class="bar" x="{min(zero, value)}" y="{middle - _BAR / 2}" '
        f'width="{round(abs(value - zero), 1)}" height="{_BAR}"/>'
        f'<path class="whisker" d="M{low} {middle}H{high}M{low} {middle - 4}v8M{high} {middle - 4}v8"/>'
        f'<text x="{_LABELS + _BARS + 8}" y="{middle + 4}">{figure(row.value)}</text></g>'
    )
