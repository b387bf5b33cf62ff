"""Figures as people read them."""

from __future__ import annotations

import math


def figure(value: float, *, short: bool = False, signed: bool = False) -> str:
    """Three decimals, or none from a hundred on; ``short`` leaves out what says nothing."""
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 100:
        shown = f"{abs(value):,.0f}"
    else:
        shown = f"{abs(value):.3g}" if short else f"{abs(value):.3f}"
    if not any(digit in shown for digit in "123456789"):
        return shown
    return f"−{shown}" if value < 0 else f"{'+' if signed else ''}{shown}"


def interval(low: float, high: float) -> str:
    """Its ends."""
    return f"{figure(low)} to {figure(high)}"
