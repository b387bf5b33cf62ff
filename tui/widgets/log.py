"""What happened, line by line; the last few hundred lines."""

from __future__ import annotations

from rich.text import Text
from textual.widgets import RichLog

from ...safe_text import safe_line
from ..run_view import LOG_LINES, LogLine, RunView


class LogView(RichLog):
    """Follows the newest line unless an older one is looked at."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id, max_lines=LOG_LINES, wrap=True, min_width=20)
        self._written = 0

    def update(self, view: RunView) -> None:
        """Write the lines that are new since the last call."""
        new = min(view.logged - self._written, len(view.log))
        self._written = view.logged
        for line in list(view.log)[len(view.log) - new :]:
            self.write(_text(line))


def _text(line: LogLine) -> Text:
    return Text.assemble(
        (f"{line.at.astimezone():%H:%M:%S} ", "dim"),
        (safe_line(line.text), "yellow" if line.warning else ""),
    )
