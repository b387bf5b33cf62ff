"""A run that a screen can show: kept on disk, or under way."""

from __future__ import annotations

import traceback
from dataclasses import InitVar, dataclass, field
from datetime import UTC, datetime

from ..agent.assembly import Wishes, wishes_of
from ..agent.report import Report
from ..agent.run_store import RunFolder
from ..agent.steering import Clarification
from ..budget import Limits
from ..errors import Cancelled, LeadlineError, RunError
from ..settings import Settings
from .run_feed import RunFeed
from .run_view import RunView
from .wording import counted, duration


@dataclass(eq=False, slots=True)
class OpenRun:
    """The view of a run, its feed while it is under way, and what went wrong beside its log."""

    wishes: Wishes
    question: InitVar[str] = ""
    as_table: bool = False
    """Whether a table was asked for."""
    view: RunView = field(default_factory=RunView)
    limits: Limits = field(default_factory=Limits)
    feed: RunFeed | None = None
    began: datetime | None = None
    """When it was begun or resumed here, models once open."""
    used_before: float = 0.0
    """Seconds spent on it before that."""
    problem: LeadlineError | None = None
    """What ended it, or what is wrong with its log."""
    details: str = ""
    """Of a problem that nobody expected."""
    notices: list[str] = field(default_factory=list)
    """Warnings that belong to no event, not yet shown."""
    clarification: Clarification | None = None
    """A question that waits for the person."""

    def __post_init__(self, question: str) -> None:
        self.view.question = question

    @property
    def under_way(self) -> bool:
        return self.feed is not None

    @property
    def stopping(self) -> bool:
        return self.feed is not None and self.feed.cancel.cancelled

    @property
    def resumable(self) -> bool:
        return self.feed is None and self.view.report is None and bool(self.view.run_id)

    @property
    def current_limits(self) -> Limits:
        return self.view.limits or self.limits

    def now(self) -> datetime:
        """The present while it is under way; the time of its last event afterwards."""
        if self.under_way and not self.view.paused:
            return datetime.now(UTC)
        return self.view.last or datetime.now(UTC)

    def seconds(self) -> float:
        """Time spent on it, so far or in all."""
        used = self.view.usage.seconds
        if self.began is None or not self.under_way:
            return used
        return self.used_before + (self.now() - self.began).total_seconds()

    def seconds_opening(self) -> float | None:
        """For how long models and corpora are being opened, which counts for no limit."""
        if self.feed is None or self.began is not None:
            return None
        return (datetime.now(UTC) - self.feed.asked_at).total_seconds()

    def used(self) -> str:
        """What it has used, in words."""
        view = self.view
        tokens = view.tokens_read + view.usage.prompt_tokens + view.usage.completion_tokens
        return ", ".join(
            [duration(self.seconds()), counted(view.pages_read, "page"), counted(tokens, "token")]
        )

    def begin(self, feed: RunFeed) -> None:
        """It is under way from now on."""
        self.feed, self.problem, self.details = feed, None, ""
        self.began, self.used_before = None, self.view.usage.seconds

    def poll(self) -> bool:
        """Take in what the run has said; whether there was anything."""
        if self.feed is None:
            return False
        news = self.feed.take()
        self.began = self.began or self.feed.opened_at
        self.view.apply_all(news.events)
        self.notices += news.warnings
        if news.clarification is not None:
            self.clarification = news.clarification
        if news.ended is not None:
            self._end(news.ended)
        return bool(news.events or news.warnings or news.clarification or news.ended)

    def answer(self, text: str | None) -> None:
        """What the person says to the clarification."""
        self.clarification = None
        if self.feed is not None:
            self.feed.answer(text)

    def _end(self, ended: Report | BaseException) -> None:
        self.feed, self.clarification = None, None
        if isinstance(ended, LeadlineError) and not isinstance(ended, Cancelled):
            self.problem = ended
            if isinstance(ended, RunError) and ended.__cause__ is not None:
                self.details = "".join(traceback.format_exception(ended))
        elif isinstance(ended, BaseException) and not isinstance(ended, Cancelled):
            self.problem, self.details = unexpected(ended)


def kept_run(folder: RunFolder, settings: Settings) -> OpenRun:
    """The run in ``folder``, as its log tells it. Blocks.

    A damaged log shows as far as it can be read, with the damage as the run's problem.

    Raises:
        RunError: there is no readable record of it.
    """
    record = folder.record
    mine = settings.model_copy(update={"model": record.model, "reader": record.reader})
    wishes = wishes_of(record, mine)
    run = OpenRun(wishes, record.question, as_table=record.table is not None)
    run.view.run_id = record.run_id
    run.view.model, run.view.reader = record.model, record.reader
    try:
        run.view.apply_all(folder.events())
    except RunError as error:
        run.problem = error
    return run


def unexpected(error: BaseException) -> tuple[LeadlineError, str]:
    """An error for the screen, and its traceback for whoever mends it."""
    kind = type(error).__name__
    shown = RunError(
        f"the run broke off ({kind}: {error})", remedy="what it had is kept: resume it"
    )
    return shown, "".join(traceback.format_exception(error))
