"""``leadline completion``: what makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .terminal import write_result

_VARIABLE = "_LEADLINE_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of SHELL.

    \b
    bash   leadline completion bash > ~/.local/share/bash-completion/completions/leadline
    zsh    leadline completion zsh > "${fpath[1]}/_leadline"
    fish   leadline completion fish > ~/.config/fish/completions/leadline.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = context.find_root()
    write_result(kind(root.command, {}, "leadline", _VARIABLE).source())
