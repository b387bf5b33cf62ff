"""``leadline completion``: what makes a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from .terminal import write_result

_VARIABLE = "_LEADLINE_COMPLETE"


class _FishComplete(FishComplete):
    """Click's own cuts a description off at its first comma."""

    source_template = FishComplete.source_template.replace(
        'string split ","', 'string split --max 1 ","'
    )


_SHELLS: dict[str, type[ShellComplete]] = {
    "bash": BashComplete,
    "zsh": ZshComplete,
    "fish": _FishComplete,
}


@click.command()
@click.argument("shell", type=click.Choice(list(_SHELLS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script that makes SHELL complete commands, options, runs, models and corpora.

    Type this in the shell that is to complete, and open it anew:

    \b
    bash   leadline completion bash > ~/.leadline.bash
           echo '. ~/.leadline.bash' >> ~/.bashrc
    zsh    leadline completion zsh > ~/.leadline.zsh
           echo 'autoload -Uz compinit && compinit; . ~/.leadline.zsh' >> ~/.zshrc
    fish   leadline completion fish > ~/.config/fish/completions/leadline.fish
    """
    root = context.find_root()
    write_result(_SHELLS[shell](root.command, {}, "leadline", _VARIABLE).source())
