"""The ``leadline`` command: a question by default, nouns for the rest, each loaded when called."""

from __future__ import annotations

import importlib
import os
import sys

import click

from .. import __version__
from ..errors import LeadlineError
from ..safe_text import safe_text
from .exit_codes import ExitCode, exit_code_for

_COMMANDS = {
    "ask": "Research a question and print the cited report (the default command).",
    "batch": "Work through many questions and tables, resumable.",
    "bench": "Measure how fast this machine reads, and how near its limits that is.",
    "config": "Show and change settings, each with the place it comes from.",
    "corpus": "Add, list, search and remove indexed folders and sites.",
    "demo": "Ask the Python language reference a set question.",
    "doctor": "Say what works on this machine, and why the rest does not.",
    "eval": "Measure answers and reading on data that can be checked.",
    "fetch": "Show a web page as a searcher would see it.",
    "models": "List, pull, locate and verify models.",
    "pages": "List, check, repair and trim the pages that are kept.",
    "read": "Show what a file, a web page or a folder says to a question.",
    "reader": "Find and show the attention heads that a model reads with.",
    "runs": "List, show, resume, export and import runs.",
    "table": "Find the table that a query asks for, every cell with its source.",
    "tui": "Open the terminal application (also what `leadline` alone does on a terminal).",
}

_DEFAULT = "ask"
_OWN_OPTIONS = ("-h", "--help", "-V", "--version")


class _LazyGroup(click.Group):
    """Names and one-line helps are known here; a command's module is imported when it is called.

    Arguments that begin with no command's name are a question.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in _COMMANDS and args[0] not in _OWN_OPTIONS:
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f".{name}", __package__)
        command = vars(module).get(name) or vars(module)[f"{name}_"]
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "-V", "--version", prog_name="leadline")
def leadline() -> None:
    """Local-first deep research: every claim leads to the exact words it rests on.

    \b
    leadline "How does SQLite's WAL mode handle readers?" --corpus ./docs
    leadline models pull qwen2.5-coder-1.5b
    leadline doctor
    """


def _application() -> str:
    """The terminal application, where there is a terminal to draw it on."""
    return "tui" if sys.stdout.isatty() else "--help"


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; errors become one line on stderr and an exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # OpenMP threads that wait by spinning would take the cores from the kernels' own threads. It is
    # read when torch is loaded, which is later.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    if not arguments:
        arguments = [_application() if sys.stdin.isatty() else _DEFAULT]
    try:
        status = leadline.main(arguments, prog_name="leadline", standalone_mode=False)
        return int(status or ExitCode.OK)
    except LeadlineError as error:
        click.echo(f"leadline: {safe_text(str(error))}", err=True)
        return exit_code_for(error)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("leadline: interrupted", err=True)
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of stdout has gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
