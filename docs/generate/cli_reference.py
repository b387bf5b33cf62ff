"""The command line's own help as a page."""

from __future__ import annotations

from collections.abc import Iterator

import click

from leadline.cli.main import leadline

_WIDTH = 96


def page() -> str:
    """Every command with what ``--help`` prints."""
    parts = [
        "# Command line",
        "What `--help` prints of every command, and the exit codes.",
        _EXIT_CODES,
    ]
    with click.Context(leadline, info_name="leadline") as top:
        for context in _commands(top):
            title = context.command_path
            if context is not top:
                parts.append(f"## `{title}`")
            help_text = "\n".join(
                line.rstrip() for line in context.command.get_help(context).splitlines()
            )
            parts.append(f"```text\n{help_text}\n```")
    return "\n\n".join(parts) + "\n"


def _commands(context: click.Context) -> Iterator[click.Context]:
    """``context`` and the contexts of all commands below it."""
    context.terminal_width = _WIDTH
    yield context
    group = context.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            yield from _commands(click.Context(command, parent=context, info_name=name))


_EXIT_CODES = """\
| exit code | meaning |
|---|---|
| 0 | answered |
| 1 | the run failed or found no answer |
| 2 | an argument, a setting or an input cannot be used |
| 3 | a model, a service or the network is not there |
| 4 | a partial report: the budget ran out, a part has no answer, a claim no support |
| 130 | interrupted; the run can be resumed |"""
