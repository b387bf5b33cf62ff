"""How errors are shown."""

from __future__ import annotations

from typing import Any

from textual.app import App

from ...errors import LeadlineError
from ...safe_text import safe_line


def show_problem(app: App[Any], error: LeadlineError) -> None:
    """A notification with the cause and the remedy; the screen stays as it is."""
    app.notify(
        safe_line(error.remedy or error.problem),
        title=safe_line(error.problem) if error.remedy else "",
        severity="error",
        timeout=10,
        markup=False,
    )
