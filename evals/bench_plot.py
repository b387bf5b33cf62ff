"""Figures of a benchmark as a picture."""

from __future__ import annotations

import importlib.util
import io
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..errors import ConfigError
from ..storage import write_atomically
from .rows import Row

_LENGTH = re.compile(r", (\d+) tokens$")
_METRICS = ("tokens a second", "ms", "share of bfloat16 peak")


def require_matplotlib() -> None:
    """Raises ConfigError where there is no matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ConfigError(
            "plots need matplotlib", remedy="pip install 'leadline[plot]', or leave out --plot"
        )


def curves(rows: Sequence[Row]) -> dict[str, dict[str, list[Row]]]:
    """By metric and by method: what was measured at several window lengths, shortest first."""
    found: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.metric in _METRICS and _LENGTH.search(row.set):
            found[row.metric][f"{row.method}, {row.set.split(',')[0]}"].append(row)
    return {
        metric: {method: sorted(points, key=window_length) for method, points in methods.items()}
        for metric, methods in found.items()
    }


def window_length(row: Row) -> int:
    """The tokens that the row's set names."""
    found = _LENGTH.search(row.set)
    assert found is not None
    return int(found[1])


def draw(rows: Sequence[Row], path: Path, *, title: str) -> None:
    """One panel for each metric: the figures over the length of the window, as PNG.

    Raises:
        ConfigError: there is no matplotlib.
        StorageError: the file cannot be written.
    """
    require_matplotlib()
    from matplotlib.figure import Figure

    panels = curves(rows)
    figure: Any = Figure(figsize=(8, 4 * max(1, len(panels))), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(max(1, len(panels)), squeeze=False)[:, 0]
    for axis, (metric, methods) in zip(axes, panels.items(), strict=False):
        for method, points in methods.items():
            lengths = [window_length(point) for point in points]
            axis.plot(lengths, [point.value for point in points], marker="o", label=method)
        axis.set_xscale("log", base=2)
        if metric == "ms":
            axis.set_yscale("log")
        axis.set_xlabel("tokens in a window")
        axis.set_ylabel(metric)
        axis.legend()
        axis.grid(alpha=0.3)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=120)
    write_atomically(path, picture.getvalue())
