"""Every event of a run with its fields."""

from __future__ import annotations

import inspect
import re
from typing import get_args

from pydantic import BaseModel

from leadline.agent import events

_COMMON = ("run_id", "seq", "span_id", "ts", "kind")

_INTRODUCTION = """\
# Events

A run is one stream of events. `--jsonl` prints it, a line each; the terminal draws it; it is kept
with the run, and replaying it shows the same again. Every event has `kind`, by which you tell them
apart; `run_id`; `seq`, which counts from 0 without gaps; `span_id`, the piece of work it belongs
to (`run`, or a sub-question's id); and `ts`, the time in UTC.
"""


def page() -> str:
    """The events in the order of the union."""
    union = get_args(events.Event)[0]
    return _INTRODUCTION + "\n" + "\n".join(_entry(kind) for kind in get_args(union))


def _entry(kind: type[BaseModel]) -> str:
    name = kind.model_fields["kind"].default
    own_doc = kind.__doc__ if "__doc__" in vars(kind) and kind.__doc__ else ""
    text = re.sub(r":class:`(\w+)`", r"`\1`", inspect.cleandoc(own_doc))
    rows = [
        f"| `{field}` | `{_type(info.annotation)}` |"
        for field, info in kind.model_fields.items()
        if field not in _COMMON
    ]
    table = "\n".join(["| field | type |", "|---|---|", *rows]) if rows else ""
    return "\n\n".join(filter(None, [f"## `{name}`", text, table])) + "\n"


def _type(annotation: object) -> str:
    shown = inspect.formatannotation(annotation)
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", shown).replace("|", r"\|")
