"""Roles in docstrings (:class:`…`, :meth:`…`) as Markdown."""

from __future__ import annotations

import re
from typing import Any

import griffe

import leadline

_ROLE = re.compile(r":(?:class|meth|attr|func|mod):`(?:~)?([\w.]+)`")


class DocstringRoles(griffe.Extension):
    """Public names become links into the reference; other names are set as code."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrite one docstring as it is collected."""
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(_markdown, obj.docstring.value)


def _markdown(role: re.Match[str]) -> str:
    path = role[1]
    package, _, name = path.partition(".")
    if package != "leadline" or name.split(".")[0] not in leadline.__all__:
        return f"`{path}`"
    return f"[`{name}`][{path}]"
