"""``leadline demo``: a set question of a real corpus that every Python brings along."""

from __future__ import annotations

from pathlib import Path

import click

from ..locations import locations
from ..storage import write_atomically
from .terminal import note

QUESTION = "In a try statement, when is the else clause executed?"


@click.command()
@click.option("--question", default=QUESTION, show_default=True, help="What to ask.")
@click.option("--reader", help='Model that reads: an id, or "none".')
@click.option("-m", "--model", help="Model that plans and writes.")
@click.pass_context
def demo(context: click.Context, question: str, reader: str | None, model: str | None) -> int:
    """Ask the Python language reference a question and print the cited report.

    The reference is the copy that ships inside Python for its help() function, indexed as a corpus of
    its own.
    """
    from .ask import ask

    folder = write_language_reference(locations().state / "demo" / "python-reference")
    note(f"corpus: the Python language reference, {len(list(folder.iterdir()))} topics")
    note(f"question: {question}")
    status = context.invoke(
        ask, question=(question,), corpora=(str(folder),), no_web=True, model=model, reader=reader
    )
    assert isinstance(status, int)
    return status


def write_language_reference(folder: Path) -> Path:
    """Write the topics of ``pydoc_data.topics`` to ``folder``, one reStructuredText file each."""
    from pydoc_data.topics import topics

    for name, text in topics.items():
        path = folder / f"{name}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_atomically(path, text)
    return folder
