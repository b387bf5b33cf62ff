"""What can be done with a finished report outside the application: copied, edited, written."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

from ..agent.exports.formats import export_to, suggested_name
from ..agent.report import Report
from ..errors import ConfigError, InputError
from ..locations import locations
from ..tools.page_store import PageStore

_EDITORS = ("sensible-editor", "nano", "vim", "vi")


def copy_markdown(app: App[Any], report: Report) -> None:
    """Put the report's Markdown, as it is, into the clipboard (OSC 52: over ssh and tmux, too)."""
    app.copy_to_clipboard(report.markdown)
    app.notify("The report is copied as Markdown")


def edit_copy(app: App[Any], report: Report) -> None:
    """Open a copy of the report in the person's editor; the application waits meanwhile.

    Raises:
        ConfigError: there is no editor.
        InputError: the terminal cannot be handed over, as in a browser.
    """
    command = editor_command()
    folder = Path(tempfile.mkdtemp(prefix="leadline-"))
    path = folder / suggested_name(report, "md")
    path.write_text(report.markdown, encoding="utf-8")
    try:
        with app.suspend():
            done = subprocess.run([*command, str(path)], check=False)
    except SuspendNotSupported as error:
        raise InputError(
            "an editor cannot be opened here", remedy="export the report to a file instead"
        ) from error
    except OSError as error:
        raise ConfigError(
            f"the editor {command[0]!r} did not start ({error.strerror})",
            remedy="set EDITOR to one that is installed",
        ) from error
    if done.returncode:
        app.notify(f"{command[0]} ended with {done.returncode}", severity="warning", markup=False)
    if path.exists() and path.read_text(encoding="utf-8") != report.markdown:
        app.notify(str(path), title="Your changes are kept in", timeout=10, markup=False)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def editor_command() -> list[str]:
    """The person's editor with its arguments: VISUAL, EDITOR, or one that is installed.

    Raises:
        ConfigError: there is none.
    """
    for variable in ("VISUAL", "EDITOR"):
        if named := shlex.split(os.environ.get(variable, "")):
            return named
    for name in _EDITORS:
        if found := shutil.which(name):
            return [found]
    raise ConfigError("there is no editor", remedy="set EDITOR")


def write_report(report: Report, path: Path) -> Path:
    """Write the report in the format that the ending of ``path`` names; where it stands. Blocks.

    Raises as :func:`~leadline.agent.exports.formats.export_to` does, and:
        StorageError: the page store cannot be opened.
    """
    with contextlib.closing(PageStore(locations().pages)) as pages:
        export_to(path, report, pages)
    return path.absolute()
