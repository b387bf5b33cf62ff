"""Asking back at a terminal, with a pseudo-terminal for stdin."""

from __future__ import annotations

import asyncio
import io
import os
import pty
import sys
from collections.abc import Iterator

import pytest

from leadline.agent.steering import Clarification
from leadline.cli.clarifying import chosen, interactive, person_at_the_terminal
from leadline.progress import silent

GEORGIA = Clarification("Which Georgia is meant?", ("the country", "the state"))


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The end of a pseudo-terminal that a person types into; the other end is stdin."""
    keys, terminal = pty.openpty()
    with os.fdopen(terminal, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield keys
    os.close(keys)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("2\n", "the state"),
        ("the island\n", "the island"),
        ("\n", None),
        ("7\n", "7"),
        ("", None),
        ("²\n", "²"),
    ],
)
def test_a_number_other_words_or_nothing(typed: str, meant: str | None) -> None:
    assert chosen(typed, GEORGIA.choices) == meant


async def test_the_choices_are_shown_and_a_line_is_read(
    keyboard: int, capsys: pytest.CaptureFixture[str]
) -> None:
    asking = asyncio.ensure_future(person_at_the_terminal(silent)(GEORGIA))
    await asyncio.sleep(0)
    os.write(keyboard, b"1\n")
    assert await asyncio.wait_for(asking, 5) == "the country"
    captured = capsys.readouterr()
    assert "2. the state" in captured.err
    assert captured.out == ""


async def test_a_stop_meanwhile_leaves_nothing_waiting(keyboard: int) -> None:
    asking = asyncio.ensure_future(person_at_the_terminal(silent)(GEORGIA))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not asyncio.get_running_loop().remove_reader(sys.stdin.fileno())


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("1\n"))
    assert not interactive()
