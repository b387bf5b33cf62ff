"""Exit codes of the command line, and which error means which."""

from __future__ import annotations

from enum import IntEnum

from .. import errors


class ExitCode(IntEnum):
    OK = 0
    FAILED = 1
    """The run failed, or answered nothing."""
    USAGE = 2
    """An argument, a setting or an input cannot be used."""
    UNAVAILABLE = 3
    """A model, a service or the network is not there."""
    PARTIAL = 4
    """The report lacks something: a budget ran out, a part has no answer, a claim no support."""
    INTERRUPTED = 130


_CODES: dict[type[errors.LeadlineError], ExitCode] = {
    errors.ConfigError: ExitCode.USAGE,
    errors.InputError: ExitCode.USAGE,
    errors.CorpusError: ExitCode.USAGE,
    errors.ExtractionError: ExitCode.USAGE,
    errors.ServiceError: ExitCode.UNAVAILABLE,
    errors.ModelMissing: ExitCode.UNAVAILABLE,
    errors.ModelCorrupt: ExitCode.UNAVAILABLE,
    errors.BudgetExceeded: ExitCode.PARTIAL,
    errors.Cancelled: ExitCode.INTERRUPTED,
}


def exit_code_for(error: errors.LeadlineError) -> ExitCode:
    """The code of the nearest class of ``error`` that has one; FAILED otherwise."""
    for kind in type(error).__mro__:
        if kind in _CODES:
            return _CODES[kind]
    return ExitCode.FAILED
