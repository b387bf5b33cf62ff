"""Asks what is to become of a question of the plan."""

from __future__ import annotations

from typing import Any

from textual.app import App

from ...agent.steering import (
    AddQuestion,
    AskAgain,
    DropQuestion,
    ForkQuestion,
    PlanEdit,
    RewordQuestion,
)
from ...safe_text import safe_line
from ..run_view import RunView
from .dialogs import ChoiceDialog, TextDialog

_TITLE_CHARACTERS = 60


async def ask_for_edit(app: App[Any], view: RunView, node_id: str | None) -> PlanEdit | None:
    """The edit that the person wants, of the question ``node_id`` or beside it; None if none."""
    node = view.node(node_id) if node_id else None
    choices = [("add", "Add a question")]
    if node is not None:
        choices = [
            ("reword", "Reword it"),
            ("again", "Ask it again"),
            ("fork", "Ask it in other words as well"),
            ("drop", "Drop it"),
            ("child", "Add a question that builds on it"),
            *choices,
        ]
    title = f"{node.id}  {safe_line(node.text, _TITLE_CHARACTERS)}" if node else "Plan"
    action = await app.push_screen_wait(ChoiceDialog(title, choices))
    if action in ("add", "child"):
        text = await app.push_screen_wait(TextDialog("Which question is to be added?"))
        parents = (node.id,) if node is not None and action == "child" else ()
        return AddQuestion(text=text, parents=parents) if text else None
    if node is None or action is None:
        return None
    if action == "drop":
        return DropQuestion(node_id=node.id)
    if action == "again":
        return AskAgain(node_id=node.id)
    text = await app.push_screen_wait(TextDialog(f"{node.id} in other words", node.text))
    if not text or text == node.text:
        return None
    if action == "fork":
        return ForkQuestion(node_id=node.id, text=text)
    return RewordQuestion(node_id=node.id, text=text)
