"""Where a question is typed: enter asks it, ctrl+j begins a new line."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.message import Message
from textual.widgets import TextArea


class QuestionArea(TextArea):
    """A text of one or several lines. Terminals cannot tell shift+enter from enter: ctrl+j can."""

    @dataclass
    class Submitted(Message):
        """Enter was pressed."""

        text: str

    def __init__(self, text: str = "", *, id: str | None = None, placeholder: str = "") -> None:
        super().__init__(
            text, id=id, placeholder=placeholder, soft_wrap=True, tab_behavior="focus", compact=True
        )

    async def _on_key(self, event: events.Key) -> None:
        if event.key == "enter":
            event.prevent_default().stop()
            self.post_message(self.Submitted(self.text))
        elif event.key == "ctrl+j":
            event.prevent_default().stop()
            self.insert("\n")
        else:
            await super()._on_key(event)
