"""Which implementation of the kernels runs here, and why not another."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..errors import ConfigError, LeadlineError

if TYPE_CHECKING:
    from torch import Tensor

    from .quantization import QuantizedLinear

VARIABLE = "LEADLINE_KERNELS"
"""A tier's name; the C++ tier may be followed by a set of instructions: ``cpp:avx2``."""


class Kernels(Protocol):
    """The functions of a tier; their contracts are those of :mod:`.reference`."""

    @property
    def NAME(self) -> str: ...

    @property
    def INT8_IS_FAST(self) -> bool: ...

    def prefill_attention(
        self, query: Tensor, key: Tensor, value: Tensor, *, blocks: Tensor | None = None
    ) -> Tensor: ...

    def prefill_windows(
        self, query: Tensor, key: Tensor, value: Tensor, lengths: Sequence[int]
    ) -> tuple[Tensor, Tensor]: ...

    def attend_cached(
        self,
        query: Tensor,
        keys: Sequence[Tensor],
        values: Sequence[Tensor],
        lengths: Sequence[int],
    ) -> tuple[Tensor, Tensor]: ...

    def score_rows(
        self,
        query: Tensor,
        key: Tensor,
        *,
        heads: Sequence[int],
        columns: tuple[int, int],
        row_weights: Tensor | None = None,
    ) -> Tensor: ...

    def score_cached(
        self,
        query: Tensor,
        key: Tensor,
        elsewhere: Tensor,
        *,
        heads: Sequence[int],
        columns: tuple[int, int],
        row_weights: Tensor | None = None,
    ) -> Tensor: ...

    def pack_linear(
        self, weight: Tensor, bias: Tensor | None = None, *, outliers: Sequence[int] = ()
    ) -> QuantizedLinear: ...

    def linear_w8a8(self, rows: Tensor, linear: QuantizedLinear) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Tier:
    """An implementation, and the reasons why it cannot be used here (none: it can)."""

    name: str
    reasons: tuple[str, ...] = ()
    detail: str = ""
    """What of it would be used."""

    @property
    def usable(self) -> bool:
        return not self.reasons


def available() -> list[Tier]:
    """Every tier there is, best first, found out without loading torch.

    The C++ tier is compiled for it, if it was not yet. The Triton tier is last: it is for tensors in
    a GPU's memory, and readers have theirs in main memory.
    """
    return [_cpp_tier(), _torch_tier(), _triton_tier()]


def select() -> Kernels:
    """The tier that ``LEADLINE_KERNELS`` names, else the best usable one.

    Raises:
        ConfigError: the named tier does not exist or cannot be used here; or none can.
    """
    wanted, _, instructions = os.environ.get(VARIABLE, "").strip().partition(":")
    if wanted:
        return _named(wanted, instructions)
    tiers = available()
    for tier in tiers:
        if tier.usable and tier.name != "triton":
            return _LOADERS[tier.name]("")
    reasons = "; ".join(f"{tier.name}: {reason}" for tier in tiers for reason in tier.reasons)
    raise ConfigError(f"no kernels can be used here ({reasons})", remedy="install torch")


def _named(name: str, instructions: str) -> Kernels:
    if name not in _LOADERS:
        raise ConfigError(
            f"there are no '{name}' kernels", remedy=f"{VARIABLE} may be {', '.join(_LOADERS)}"
        )
    try:
        return _LOADERS[name](instructions)
    except (LeadlineError, ImportError) as error:
        raise ConfigError(
            f"the '{name}' kernels cannot be used here ({error})", remedy=f"unset {VARIABLE}"
        ) from error


def _cpp_tier() -> Tier:
    from .library import INSTRUCTIONS, load_library

    torch_reasons = _torch_tier().reasons
    if torch_reasons:
        return Tier("cpp", torch_reasons)
    try:
        library = load_library()
    except LeadlineError as error:
        return Tier("cpp", (str(error),))
    if library.best_instructions == 0:
        return Tier("cpp", ("this processor has no AVX2, and without it torch is faster",))
    return Tier("cpp", detail=f"attention and int8 on {INSTRUCTIONS[library.best_instructions]}")


def _torch_tier() -> Tier:
    found = importlib.util.find_spec("torch")
    return Tier("torch", () if found else ("torch is not installed",), detail="attention")


def _triton_tier() -> Tier:
    reasons = []
    if importlib.util.find_spec("triton") is None:
        reasons.append("triton is not installed: pip install 'leadline[gpu]'")
    if not Path("/proc/driver/nvidia/version").exists():
        reasons.append("there is no NVIDIA GPU")
    return Tier("triton", tuple(reasons), detail="attention and int8 on a GPU, when asked for")


def _load_triton(instructions: str) -> Kernels:
    if instructions:
        raise ConfigError(f"the triton kernels have no '{instructions}' instructions to choose")
    from .triton_tier import TritonKernels

    return TritonKernels()


def _load_cpp(instructions: str) -> Kernels:
    from .cpp import CppKernels
    from .library import load_library

    return CppKernels(load_library(), instructions or None)


def _load_torch(instructions: str) -> Kernels:
    from . import reference

    if instructions:
        raise ConfigError(f"the torch kernels have no '{instructions}' instructions to choose")
    return reference


_LOADERS: dict[str, Callable[[str], Kernels]] = {
    "cpp": _load_cpp,
    "torch": _load_torch,
    "triton": _load_triton,
}
"""By the tier's name: a function of the set of instructions, which may be empty."""
