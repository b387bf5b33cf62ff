"""Every setting with its default and what it does."""

from __future__ import annotations

import inspect
import json
import re

import griffe
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from leadline.settings import Settings

_INTRODUCTION = """\
# Settings

A flag on the command line goes before the environment, the environment before `leadline.toml` in
the working folder, that before `settings.toml` in your configuration folder, and that before the
default. `leadline config show` says which value is in force and where it comes from.
"""


def page() -> str:
    """The settings in the order in which the class has them."""
    docs = _docstrings()
    entries = [_entry(name, field, docs[name]) for name, field in Settings.model_fields.items()]
    return _INTRODUCTION + "\n" + "\n".join(entries)


def _entry(name: str, field: FieldInfo, doc: str) -> str:
    text = re.sub(r"``([^`]*)``", r"`\1`", doc)
    return (
        f"## `{name}`\n\n{text}\n\n"
        f"Environment: `LEADLINE_{name.upper()}`. Type: `{_type(field)}`. "
        f"Default: `{_default(field)}`.\n"
    )


def _type(field: FieldInfo) -> str:
    shown = inspect.formatannotation(field.annotation)
    return re.sub(r"\b(?:\w+\.)+(\w+)", r"\1", shown)


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "must be given"
    return "none" if value is None else json.dumps(value, default=str)


def _docstrings() -> dict[str, str]:
    """The text under each field, which Python itself does not keep.

    Raises:
        AttributeError: a field has none.
    """
    settings = griffe.load("leadline.settings", search_paths=["src"])["Settings"]
    return {
        name: " ".join(settings[name].docstring.value.split()) for name in Settings.model_fields
    }
