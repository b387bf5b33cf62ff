"""Names of methods: baselines, and research with the effort that the name gives."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from ..agent.toolbox import Effort
from ..errors import ConfigError

RESEARCH = "leadline"


def effort_of(method: str, baselines: Sequence[str]) -> Effort:
    """The effort in the name of a method: ``leadline+growth_rounds=0`` is one without growth.

    Raises:
        ConfigError: it is neither research nor one of ``baselines``, names what an effort does not
            have, or a value that cannot be.
    """
    name, *changes = method.split("+")
    wanted = dict(change.partition("=")[::2] for change in changes)
    if name != RESEARCH:
        raise ConfigError(
            f"no method is called {method!r}",
            remedy=f"there are: {', '.join(baselines)}, {RESEARCH}, {RESEARCH}+SETTING=VALUE",
        )
    known = Effort.__dataclass_fields__
    for field in wanted:
        if field not in known:
            raise ConfigError(
                f"an effort has no {field!r}", remedy=f"it has: {', '.join(sorted(known))}"
            )
    try:
        return TypeAdapter(Effort).validate_python(wanted)
    except ValidationError as error:
        first = error.errors()[0]
        raise ConfigError(f"{method!r} cannot be measured ({first['msg']})") from error


def check_methods(methods: Sequence[str], baselines: Sequence[str]) -> None:
    """Raises ConfigError as :func:`effort_of` does, for the first that cannot be measured."""
    for method in methods:
        if method not in baselines:
            effort_of(method, baselines)
