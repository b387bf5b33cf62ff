"""Every error that Leadline raises on purpose.

    LeadlineError
    ├── ConfigError            a setting or an argument that cannot be used
    │   ├── MissingKey         a service needs a key that is not set
    │   └── MissingExtra       a package that an extra brings is not installed
    ├── InputError             a question, a file or a folder that cannot be used
    ├── ServiceError           something outside this process did not do its part
    │   ├── DownloadError      a model could not be fetched from any of its sources
    │   ├── EndpointError      a model endpoint refused, failed or talked nonsense
    │   ├── FetchError         a page could not be fetched
    │   └── SearchError        a search backend failed
    ├── ModelError             a local model cannot be used
    │   ├── ModelMissing       it is not on this machine
    │   ├── ModelCorrupt       its file is truncated, altered or unreadable
    │   ├── PromptTooLong      a prompt does not fit the model's window
    │   └── OutputInvalid      the model's output does not fit the schema asked for
    ├── ExtractionError        a document holds no text that can be read
    ├── CorpusError            a corpus or its index cannot be used
    ├── ReadingError           the reader cannot read with this model or method
    ├── StorageError           the disk refused: full, read-only or not permitted
    ├── RunError               a research run failed, or cannot be found
    ├── BudgetExceeded         a limit on time, tokens, pages or money was reached
    └── Cancelled              the user stopped it

A message is one line: the thing, the cause, then the remedy.
"""

from __future__ import annotations


class LeadlineError(Exception):
    """Base of all errors. ``problem`` names the thing and the cause, ``remedy`` what to do."""

    def __init__(self, problem: str, *, remedy: str = "") -> None:
        self.problem = _one_line(problem)
        """The thing and the cause."""
        self.remedy = _one_line(remedy)
        """What to do; empty where there is nothing."""
        super().__init__(f"{self.problem}: {self.remedy}" if self.remedy else self.problem)

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.problem, self.remedy))


class ConfigError(LeadlineError):
    """A setting or an argument that cannot be used."""


class MissingKey(ConfigError):
    """A service needs a key that is not set."""


class MissingExtra(ConfigError):
    """A package that an extra brings is not installed."""


class InputError(LeadlineError):
    """A question, a file or a folder that cannot be used."""


class ServiceError(LeadlineError):
    """Something outside this process did not do its part."""


class DownloadError(ServiceError):
    """A model could not be fetched from any of its sources."""


class EndpointError(ServiceError):
    """A model endpoint refused, failed or talked nonsense."""


class FetchError(ServiceError):
    """A page could not be fetched."""


class SearchError(ServiceError):
    """A search backend failed."""


class ModelError(LeadlineError):
    """A local model cannot be used."""


class ModelMissing(ModelError):
    """The model is not on this machine."""


class ModelCorrupt(ModelError):
    """The model's file is truncated, altered or unreadable."""


class PromptTooLong(ModelError):
    """A prompt does not fit the model's window."""


class OutputInvalid(ModelError):
    """The model's output does not fit the schema asked for."""


class ExtractionError(LeadlineError):
    """A document holds no text that can be read."""


class CorpusError(LeadlineError):
    """A corpus or its index cannot be used."""


class ReadingError(LeadlineError):
    """The reader cannot read with this model or method."""


class StorageError(LeadlineError):
    """The disk refused: full, read-only or not permitted."""


class RunError(LeadlineError):
    """A research run failed, or cannot be found."""


class BudgetExceeded(LeadlineError):
    """A limit on time, tokens, pages or money was reached."""


class Cancelled(LeadlineError):
    """The user stopped it."""


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def _rebuild(kind: type[LeadlineError], problem: str, remedy: str) -> LeadlineError:
    return kind(problem, remedy=remedy)
