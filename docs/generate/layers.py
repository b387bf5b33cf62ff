"""The layers of the code as a drawing, with how often each imports another."""

from __future__ import annotations

from collections import Counter
from html import escape
from itertools import pairwise

import grimp

_LAYERS = (("cli",), ("evals", "tui"), ("agent",), ("tools", "runtime"), ("kernels",))
_ABOUT = {
    "cli": "the commands",
    "tui": "the terminal application",
    "evals": "metrics, data sets, batches",
    "agent": "plan, search, answer, verify",
    "tools": "search, fetch, extract, keep pages",
    "runtime": "models, engines, the reader",
    "kernels": "attention: torch, C++, Triton",
}
_WIDTH, _BOX_HEIGHT, _GAP, _MARGIN = 760, 58, 64, 20


def page() -> str:
    """An SVG: a box for each folder, an arrow from each layer to the next, with the count.

    Imports that pass a layer by are left out: they would cross everything.
    """
    counts = _imports()
    places = _places()
    arrows = [
        _arrow(places[above], places[below], counts[above, below])
        for layer, following in pairwise(_LAYERS)
        for above in layer
        for below in following
        if counts[above, below]
    ]
    boxes = [_box(name, x, y, width) for name, (x, y, width) in places.items()]
    height = len(_LAYERS) * (_BOX_HEIGHT + _GAP) - _GAP + 2 * _MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="Layers of Leadline" font-family="sans-serif" font-size="13">'
        '<defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#78909c"/></marker></defs>'
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>'
        f"{''.join(arrows)}{''.join(boxes)}</svg>\n"
    )


def _imports() -> Counter[tuple[str, str]]:
    """How many modules of one folder import something of another."""
    graph = grimp.build_graph("leadline")
    counts: Counter[tuple[str, str]] = Counter()
    for module in graph.modules:
        mine = _folder(module)
        theirs = {_folder(each) for each in graph.find_modules_directly_imported_by(module)}
        counts.update((mine, other) for other in theirs - {mine})
    return counts


def _folder(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


def _places() -> dict[str, tuple[float, float, float]]:
    """Left, top and width of each box."""
    places: dict[str, tuple[float, float, float]] = {}
    for row, layer in enumerate(_LAYERS):
        width = (_WIDTH - 2 * _MARGIN - _GAP * (len(layer) - 1)) / len(layer)
        width = min(width, 340.0)
        left = (_WIDTH - width * len(layer) - _GAP * (len(layer) - 1)) / 2
        for column, name in enumerate(layer):
            x = left + column * (width + _GAP)
            places[name] = (x, _MARGIN + row * (_BOX_HEIGHT + _GAP), width)
    return places


def _box(name: str, x: float, y: float, width: float) -> str:
    middle = x + width / 2
    return (
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_BOX_HEIGHT}" rx="6" '
        'fill="#eceff1" stroke="#546e7a"/>'
        f'<text x="{middle:.0f}" y="{y + 24:.0f}" text-anchor="middle" font-weight="bold" '
        f'fill="#263238">{escape(name)}</text>'
        f'<text x="{middle:.0f}" y="{y + 43:.0f}" text-anchor="middle" fill="#455a64">'
        f"{escape(_ABOUT[name])}</text>"
    )


def _arrow(above: tuple[float, float, float], below: tuple[float, float, float], count: int) -> str:
    (x1, y1, width1), (x2, y2, width2) = above, below
    start_x, start_y = x1 + width1 / 2, y1 + _BOX_HEIGHT
    end_x, end_y = x2 + width2 / 2, y2
    label_x, label_y = (start_x + end_x) / 2, (start_y + end_y) / 2
    return (
        f'<line x1="{start_x:.0f}" y1="{start_y:.0f}" x2="{end_x:.0f}" y2="{end_y:.0f}" '
        'stroke="#78909c" stroke-width="1.4" marker-end="url(#tip)"/>'
        f'<text x="{label_x + 8:.0f}" y="{label_y - 4:.0f}" fill="#546e7a">{count}</text>'
    )
