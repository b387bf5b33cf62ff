"""What the command palette offers: the application's commands, then those of the screen in front."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class PaletteCommand:
    """A command; ``name`` reads ``group: verb what`` ("run: pause")."""

    name: str
    help: str
    run: Callable[[], Any]


@runtime_checkable
class OffersCommands(Protocol):
    """A screen with commands of its own, which may depend on what it shows at the moment."""

    def palette_commands(self) -> Iterable[PaletteCommand]: ...
