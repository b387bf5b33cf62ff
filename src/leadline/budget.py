"""One budget over wall clock, tokens, pages and money."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from .errors import BudgetExceeded


class Usage(BaseModel):
    """What a run has used so far."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    read_tokens: int = 0
    """Tokens that the reader's attention went over."""
    pages: int = 0
    """Pages fetched or opened."""
    money: float = 0.0
    """US dollars paid to endpoints that publish a price."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper limits; None is no limit."""

    seconds: float | None = None
    """Wall clock."""
    tokens: int | None = None
    """Prompt, completion and read tokens together."""
    pages: int | None = None
    """Pages fetched or opened."""
    money: float | None = None
    """US dollars paid to endpoints that publish a price."""


class Budget:
    """Counts what a run uses against its limits. Safe from any thread.

    ``clock`` gives monotonic seconds. ``spent`` is what a resumed run had used before. ``limits``
    may be replaced at any time; what was used counts against the new ones.
    """

    def __init__(
        self,
        limits: Limits | None = None,
        *,
        spent: Usage | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits = limits or Limits()
        self._spent = spent or Usage()
        self._clock = clock
        self._started = clock() - self._spent.seconds
        self._stopped_at: float | None = None
        self._lock = threading.Lock()

    @property
    def usage(self) -> Usage:
        with self._lock:
            now = self._clock() if self._stopped_at is None else self._stopped_at
            return self._spent.model_copy(update={"seconds": now - self._started})

    @contextlib.contextmanager
    def clock_stopped(self) -> Iterator[None]:
        """Time that passes inside is not counted: a run that waits for a person. Not nested."""
        stopped_at = self._clock()
        with self._lock:
            self._stopped_at = stopped_at
        try:
            yield
        finally:
            with self._lock:
                self._started += self._clock() - stopped_at
                self._stopped_at = None

    def charge(
        self,
        *,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        read_tokens: int = 0,
        pages: int = 0,
        money: float = 0.0,
    ) -> None:
        """Add to what was used. Never raises: the work is done, it has to be counted."""
        with self._lock:
            spent = self._spent
            self._spent = spent.model_copy(
                update={
                    "prompt_tokens": spent.prompt_tokens + prompt_tokens,
                    "completion_tokens": spent.completion_tokens + completion_tokens,
                    "read_tokens": spent.read_tokens + read_tokens,
                    "pages": spent.pages + pages,
                    "money": spent.money + money,
                }
            )

    @property
    def exhausted(self) -> str | None:
        """The limit that is reached, in words; None while all hold."""
        used, limits = self.usage, self.limits
        tokens = used.prompt_tokens + used.completion_tokens + used.read_tokens
        if limits.seconds is not None and used.seconds >= limits.seconds:
            return f"{limits.seconds:g} seconds are up"
        if limits.tokens is not None and tokens >= limits.tokens:
            return f"{limits.tokens:,} tokens are used"
        if limits.pages is not None and used.pages >= limits.pages:
            return f"{limits.pages:,} pages are read"
        if limits.money is not None and used.money >= limits.money:
            return f"{limits.money:g} dollars are spent"
        return None

    @property
    def remaining_seconds(self) -> float | None:
        if self.limits.seconds is None:
            return None
        return max(0.0, self.limits.seconds - self.usage.seconds)

    def check(self) -> None:
        """Raises BudgetExceeded when a limit is reached."""
        if reason := self.exhausted:
            raise BudgetExceeded(f"the budget is used up, {reason}", remedy="raise the limit")
