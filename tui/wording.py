"""Figures and states in the words and signs that the screens use."""

from __future__ import annotations

from ..agent.report import Status, Verdict
from ..agent.research_graph import NodeState

STATE_SIGNS: dict[NodeState, tuple[str, str]] = {
    "waiting": ("○", "$text-muted"),
    "running": ("◐", "$text-accent"),
    "answered": ("✓", "$text-success"),
    "unanswered": ("–", "$text-warning"),
    "failed": ("✗", "$text-error"),
}
"""A sign, which says it without colour, and its colour."""

VERDICT_SIGNS: dict[Verdict, tuple[str, str]] = {
    "supported": ("✓", "$text-success"),
    "unsupported": ("✗", "$text-error"),
    "unchecked": ("?", "$text-muted"),
}

VERDICT_WORDS: dict[Verdict, str] = {
    "supported": "",
    "unsupported": "not supported by its source",
    "unchecked": "not checked yet",
}

STATUS_WORDS: dict[Status, str] = {
    "complete": "answered",
    "partial": "answered in part",
    "budget_exhausted": "out of budget",
    "failed": "no answer found",
}


def duration(seconds: float) -> str:
    """ "42 s", "3:07", "1:02:03"."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def counted(count: int, one: str, many: str | None = None) -> str:
    """ "1 page", "1,204 pages"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def speed(tokens_a_second: float | None) -> str:
    return f"{tokens_a_second:,.0f} tokens/s" if tokens_a_second else ""


def gauge(used: float, limit: float, cells: int = 8) -> str:
    """A bar that fills up to the limit; readable without colour."""
    full = round(min(max(used / limit, 0.0), 1.0) * cells) if limit > 0 else cells
    return "█" * full + "░" * (cells - full)
