"""Every public name of the package, with its docstring, and the modules that go with them."""

from __future__ import annotations

import leadline

_INTRODUCTION = """\
# Python

All of these are imported from `leadline`; nothing heavy is loaded before a name is used. The
[guide](../guides/python.md) shows them at work.
"""
_GROUPS = {
    "Clients": ("Leadline", "AsyncLeadline"),
    "Results": ("Report", "ReadResult", "Citation", "Page"),
    "A run under way": ("Event", "Limits", "Cancellation", "Clarification", "Steering"),
    "Parts that can be replaced": ("Engine", "Reader", "SearchBackend", "Source", "PageStorage"),
    "Errors": (
        "LeadlineError",
        "Cancelled",
        "ConfigError",
        "InputError",
        "ModelError",
        "RunError",
        "ServiceError",
    ),
    "Settings and version": ("Settings", "__version__"),
}
_COMPANIONS = {
    "leadline.sdk.options": "What may be said of a single run",
    "leadline.sdk.streams": "What `stream` returns",
    "leadline.agent.steering": "Edits of the plan",
    "leadline.runtime.engine": "What an engine is asked, and answers",
    "leadline.runtime.reader": "What a reader is asked, and answers",
    "leadline.integrations.mcp_server": "The MCP server",
    "leadline.integrations.openai_api": "The OpenAI-compatible endpoint",
    "leadline.integrations.langchain": "The LangChain tool",
    "leadline.integrations.opentelemetry": "Traces",
    "leadline.logs": "Logs",
}
_ELSEWHERE = {
    "Settings": "[Each setting](settings.md) has an entry of its own.",
    "Event": "[Each event](events.md) has an entry of its own.",
    "Errors": "The [errors](errors.md) are drawn as a tree, with those below these.",
}


def page() -> str:
    """The names in groups.

    Raises:
        ValueError: a public name is in no group, or a group names one that there is not.
    """
    grouped = [name for names in _GROUPS.values() for name in names]
    if sorted(grouped) != leadline.__all__:
        raise ValueError(f"not once in the reference: {set(grouped) ^ set(leadline.__all__)}")
    parts = [_INTRODUCTION]
    for title, names in _GROUPS.items():
        parts += [f"## {title}\n", *filter(None, [_ELSEWHERE.get(title)])]
        parts += map(_entry, names)
    parts.append("## What goes with them\n")
    for module, title in _COMPANIONS.items():
        parts.append(f"### {title}\n\n{_directive(module, heading=False, level=4)}")
    return "\n".join(parts)


def _entry(name: str) -> str:
    directive = _directive(f"leadline.{name}")
    if name in _ELSEWHERE:
        return f"{directive}      members: false\n\n{_ELSEWHERE[name]}\n"
    return directive


def _directive(path: str, *, heading: bool = True, level: int = 3) -> str:
    """What mkdocstrings replaces by the documentation of ``path``."""
    shown = str(heading).lower()
    return (
        f"::: {path}\n"
        "    options:\n"
        f"      heading_level: {level}\n"
        f"      show_root_heading: {shown}\n"
        f"      show_root_toc_entry: {shown}\n"
    )
