"""How long work tells how far it is, without knowing who shows it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Protocol


class Progress(Protocol):
    """Told of progress, from any thread. Implementations must be cheap and must not raise."""

    def __call__(self, task: str, done: int, total: int | None, unit: str) -> None:
        """``task`` names the work ("qwen2.5-coder-0.5b"), ``unit`` what is counted ("bytes").

        ``unit`` is empty where nothing can be counted.
        """


def silent(task: str, done: int, total: int | None, unit: str) -> None:
    """Progress that nobody watches."""


@contextlib.contextmanager
def told(progress: Progress, task: str) -> Iterator[None]:
    """Tell of ``task`` while it lasts, which cannot say how far it is."""
    progress(task, 0, None, "")
    try:
        yield
    finally:
        progress(task, 1, 1, "")
