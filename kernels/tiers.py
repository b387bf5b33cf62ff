"""Which implementation of the kernels runs here, and why not another."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from ..errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

VARIABLE = "LEADLINE_KERNELS"


class Kernels(Protocol):
    """The functions of a tier; their contracts are those of :mod:`.reference`."""

    @property
    def NAME(self) -> str: ...

    def prefill_attention(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor: ...

    def score_rows(
        self,
        query: Tensor,
        key: Tensor,
        *,
        heads: Sequence[int],
        columns: tuple[int, int],
        row_weights: Tensor | None = None,
    ) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Tier:
    """An implementation, and the reasons why it cannot be used here (none: it can)."""

    name: str
    reasons: tuple[str, ...] = ()

    @property
    def usable(self) -> bool:
        return not self.reasons


def available() -> list[Tier]:
    """Every tier there is, best first, found out without loading torch."""
    return [Tier("torch", _why_not_torch())]


def select() -> Kernels:
    """The tier that ``LEADLINE_KERNELS`` names, else the best usable one.

    Raises:
        ConfigError: the named tier does not exist or cannot be used here; or none can.
    """
    tiers = available()
    wanted = os.environ.get(VARIABLE, "").strip()
    names = ", ".join(tier.name for tier in tiers)
    if wanted and wanted not in {tier.name for tier in tiers}:
        raise ConfigError(f"there are no '{wanted}' kernels", remedy=f"{VARIABLE} may be {names}")
    for tier in tiers:
        if tier.usable and wanted in ("", tier.name):
            from . import reference

            return reference
    reasons = "; ".join(f"{tier.name}: {reason}" for tier in tiers for reason in tier.reasons)
    raise ConfigError(f"no kernels can be used here ({reasons})", remedy="install torch")


def _why_not_torch() -> tuple[str, ...]:
    return () if importlib.util.find_spec("torch") else ("torch is not installed",)
