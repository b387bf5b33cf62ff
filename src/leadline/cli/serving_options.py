"""The options of commands that serve one client's worth of models to others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from .research_options import corpus_option, model_option, reader_option, seconds_option

if TYPE_CHECKING:
    from ..sdk.async_client import AsyncLeadline

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    corpus_option,
    click.option("--web/--no-web", default=None, help="Search the web, or do not."),
    seconds_option("Budget of a run."),
    model_option,
    reader_option,
    click.option("--log-json", is_flag=True, help="Log runs on stderr as lines of JSON."),
)


def serving_options(command: F) -> F:
    """Add them to ``command``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def open_client(
    *,
    corpora: tuple[str, ...],
    web: bool | None,
    seconds: float | None,
    model: str | None,
    reader: str | None,
    log_json: bool,
) -> AsyncLeadline:
    """The client that is served; its models are opened when they are first needed.

    Raises:
        ConfigError: a setting cannot be used.
    """
    import logging

    from ..logs import LOGGER, JsonFormatter
    from ..sdk.async_client import AsyncLeadline

    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter() if log_json else logging.Formatter("%(levelname)s %(message)s")
    )
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO if log_json else logging.WARNING)
    return AsyncLeadline(corpora=corpora, web=web, seconds=seconds, model=model, reader=reader)
