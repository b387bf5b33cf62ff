"""Asks the person at the terminal what a question means."""

from __future__ import annotations

import asyncio
import sys

from ..agent.steering import Clarification, Clarify
from ..progress import Progress
from .terminal import note, undisturbed


def interactive() -> bool:
    """Whether a person sits there: questions can be shown, and answers typed."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def person_at_the_terminal(progress: Progress) -> Clarify:
    """Shows the choices on stderr; the answer is a number, other words, or nothing."""

    async def ask(clarification: Clarification) -> str | None:
        with undisturbed(progress):
            note(clarification.question)
            for number, choice in enumerate(clarification.choices, start=1):
                note(f"  {number}. {choice}")
            note("Type a number or your own words; Enter alone leaves it open.")
            return chosen(await _typed_line(), clarification.choices)

    return ask


def chosen(typed: str, choices: tuple[str, ...]) -> str | None:
    """The choice whose number was typed, or what was typed; None for nothing."""
    typed = typed.strip()
    if typed.isdecimal() and 1 <= int(typed) <= len(choices):
        return choices[int(typed) - 1]
    return typed or None


async def _typed_line() -> str:
    """A line from stdin. No thread is left behind when the run is stopped meanwhile."""
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        loop.remove_reader(sys.stdin.fileno())
        if not typed.done():
            typed.set_result(sys.stdin.readline())

    loop.add_reader(sys.stdin.fileno(), read)
    try:
        return await typed
    finally:
        loop.remove_reader(sys.stdin.fileno())
