"""The question, and how far its run is: time, pages and tokens against the budget."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.widgets import Static

from ...safe_text import safe_line
from ..open_run import OpenRun
from ..wording import STATUS_WORDS, counted, duration, gauge

_PHASES = {
    "starting": "getting ready",
    "planning": "planning",
    "searching": "searching and reading",
    "writing": "writing",
    "checking": "checking each statement",
    "finished": "",
}


class RunHeader(Static):
    """Three lines at most."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, markup=False)
        self._drawn: Content | None = None

    def show(self, run: OpenRun) -> None:
        lines = [Content.styled(safe_line(run.view.question), "bold"), _facts(run)]
        if run.problem is not None:
            lines.append(Content.styled(f"✗ {safe_line(str(run.problem))}", "$text-error"))
        elif run.feed is not None and run.feed.under_way:
            said = " · ".join(
                f"{task} {_amount(*amount)}".rstrip()
                for task, amount in list(run.feed.under_way.items())
            )
            lines.append(Content.styled(safe_line(said), "$text-muted"))
        drawn = Content("\n").join(lines)
        if self._drawn is None or not drawn.is_same(self._drawn):
            self._drawn = drawn
            self.update(drawn)


def state_words(run: OpenRun) -> tuple[str, str]:
    """What a run does or how it ended, and the colour of it."""
    view = run.view
    if run.stopping:
        return "◐ stopping", "$text-warning"
    if view.paused and run.under_way:
        return "‖ paused", "$text-warning"
    if run.seconds_opening() is not None:
        return "◐ opening models and corpora", "$text-accent"
    if run.under_way:
        return f"◐ {_PHASES[view.phase]}", "$text-accent"
    if view.report is not None:
        status = view.report.status
        colours = {"complete": "$text-success", "failed": "$text-error"}
        sign = "✓" if status == "complete" else "–"
        return f"{sign} {STATUS_WORDS[status]}", colours.get(status, "$text-warning")
    return "○ stopped, can be resumed" if run.resumable else "○ stopped", "$text-warning"


def _facts(run: OpenRun) -> Content:
    words, colour = state_words(run)
    if (opening := run.seconds_opening()) is not None:
        return Content.assemble((words, colour), (f" · {duration(opening)}", "$text-muted"))
    view, limits = run.view, run.current_limits
    tokens = view.tokens_read + view.usage.prompt_tokens + view.usage.completion_tokens
    parts = [
        _measured(duration(run.seconds()), run.seconds(), limits.seconds, duration),
        _measured(counted(view.pages_read, "page"), view.pages_read, limits.pages, _number),
        _measured(counted(tokens, "token"), tokens, limits.tokens, _number),
        safe_line(view.model.rsplit("/", 1)[-1]),
    ]
    said = " · ".join(part for part in parts if part)
    return Content.assemble((words, colour), (f" · {said}", "$text-muted"))


def _measured(said: str, used: float, limit: float | None, form: Callable[[float], str]) -> str:
    if limit is None:
        return said
    return f"{said} of {form(limit)} {gauge(used, limit)}"


def _number(value: float) -> str:
    return f"{value:,.0f}"


def _amount(done: int, total: int | None, unit: str) -> str:
    if not unit:
        return ""
    if unit == "bytes":
        return f"{done / 1e6:,.0f} of {total / 1e6:,.0f} MB" if total else f"{done / 1e6:,.0f} MB"
    return f"{done:,} of {total:,} {unit}" if total else f"{done:,} {unit}"
