"""Packages that come with an extra of Leadline and may not be there."""

from __future__ import annotations

import importlib
from types import ModuleType

from .errors import MissingExtra


def import_extra(module: str, *, extra: str, purpose: str, otherwise: str = "") -> ModuleType:
    """Import ``module``, which ``extra`` brings; ``otherwise`` says how to do without.

    Raises:
        MissingExtra: it is not installed; the message says for what ``purpose`` it is needed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise MissingExtra(
            f"{purpose} needs the package {module.partition('.')[0]}, which is not installed",
            remedy=f"pip install 'leadline[{extra}]'" + (f", or {otherwise}" if otherwise else ""),
        ) from error
