"""Each kernel against what torch has for the same, and against what the processor can do.

Shapes are those of Qwen2.5-0.5B: 14 query heads, 2 key heads, 64 channels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention

from ..cancellation import Cancellation
from ..kernels import reference
from ..kernels.block_sparse import choose_blocks
from ..kernels.cpp import CppKernels
from ..kernels.library import INSTRUCTIONS, Library, load_library
from ..kernels.workers import share
from ..progress import Progress
from .rows import Row
from .timing import Timing, median_row, time_interleaved

WINDOWS = (512, 1024, 2048, 4096, 8192, 16384)
LONG_WINDOWS = (16384, 32768)
"""Those where most blocks of attention can be left out."""

_HEADS, _KEY_HEADS, _WIDTH = 14, 2, 64
_QUESTION_ROWS, _CACHED_WINDOWS, _CACHED_COLUMNS = 32, 64, 1024
_LINEARS = {"query, key and value": (896, 1152), "gate and up": (896, 9728), "down": (4864, 896)}
_LINEAR_ROWS = 1024
_EAGER_LIMIT = 2048
_PEAK_ROUNDS = 2_000_000
_KINDS = ("float32", "bfloat16", "int8")


@dataclass(frozen=True, slots=True)
class KernelBench:
    """What is measured, how often."""

    windows: Sequence[int] = WINDOWS
    long_windows: Sequence[int] = LONG_WINDOWS
    rounds: int = 5

    def rows(self, *, cancel: Cancellation, progress: Progress) -> list[Row]:
        """All figures.

        Raises:
            ReadingError: the C++ kernels cannot be used here.
            Cancelled: ``cancel`` was set meanwhile.
        """
        library = load_library()
        kernels = CppKernels(library)
        peaks = measure_peaks(library, kernels.instructions, rounds=self.rounds, cancel=cancel)
        rows = [
            median_row(values, method="machine", set_name="peak", metric=f"{kind} GFLOP/s")
            for kind, values in peaks.items()
        ]
        best = {kind: max(values) for kind, values in peaks.items()}
        parts: list[Callable[[], list[Row]]] = [
            *(partial(self._prefill, kernels, size, best, cancel) for size in self.windows),
            partial(self._scores, kernels, cancel),
            partial(self._cached, kernels, best, cancel),
            *(partial(self._linear, kernels, name, best, cancel) for name in _LINEARS),
            *(partial(self._sparse, kernels, size, cancel) for size in self.long_windows),
        ]
        for place, part in enumerate(parts):
            progress("measuring", place, len(parts), "shapes")
            rows += part()
        progress("measuring", len(parts), len(parts), "shapes")
        return rows

    def _prefill(
        self, kernels: CppKernels, columns: int, peaks: dict[str, float], cancel: Cancellation
    ) -> list[Row]:
        query, key, value = _window(columns)
        calls: dict[str, Callable[[], object]] = {
            "torch sdpa": lambda: scaled_dot_product_attention(
                query[None], key[None], value[None], is_causal=True, enable_gqa=True
            ),
            _name(kernels): lambda: kernels.prefill_attention(query, key, value),
        }
        if columns <= _EAGER_LIMIT:
            calls["torch eager"] = lambda: _eager(query, key, value)
        operations = 2 * _HEADS * columns * (columns + 1) * _WIDTH
        found = time_interleaved(calls, rounds=self._rounds(columns), cancel=cancel)
        return _figures(found, "torch sdpa", f"prefill, {columns} tokens", operations, peaks)

    def _scores(self, kernels: CppKernels, cancel: Cancellation) -> list[Row]:
        query, key, _ = _window(4096)
        query = query[:, -_QUESTION_ROWS:]
        heads, columns = range(_HEADS), (0, 4096)
        calls: dict[str, Callable[[], object]] = {
            "torch": lambda: reference.score_rows(query, key, heads=heads, columns=columns),
            _name(kernels): lambda: kernels.score_rows(query, key, heads=heads, columns=columns),
        }
        found = time_interleaved(calls, rounds=self.rounds, cancel=cancel)
        return _figures(found, "torch", f"scores, {_QUESTION_ROWS} rows, 4096 tokens")

    def _cached(
        self, kernels: CppKernels, peaks: dict[str, float], cancel: Cancellation
    ) -> list[Row]:
        columns = _CACHED_WINDOWS * _CACHED_COLUMNS
        query = _random(_HEADS, _CACHED_WINDOWS * _QUESTION_ROWS)
        keys = _random(_KEY_HEADS, columns).chunk(_CACHED_WINDOWS, dim=1)
        values = _random(_KEY_HEADS, columns).chunk(_CACHED_WINDOWS, dim=1)
        lengths = [_QUESTION_ROWS] * _CACHED_WINDOWS
        calls: dict[str, Callable[[], object]] = {
            "torch": lambda: reference.attend_cached(query, keys, values, lengths),
            _name(kernels): lambda: kernels.attend_cached(query, keys, values, lengths),
        }
        operations = 4 * _HEADS * query.shape[1] * _CACHED_COLUMNS * _WIDTH
        found = time_interleaved(calls, rounds=self.rounds, cancel=cancel)
        name = f"cached, {_QUESTION_ROWS} rows, {_CACHED_WINDOWS} windows of {_CACHED_COLUMNS}"
        return _figures(found, "torch", name, operations, peaks)

    def _linear(
        self, kernels: CppKernels, name: str, peaks: dict[str, float], cancel: Cancellation
    ) -> list[Row]:
        inputs, outputs = _LINEARS[name]
        generator = torch.Generator().manual_seed(0)
        rows = torch.randn(_LINEAR_ROWS, inputs, generator=generator).bfloat16()
        weight = torch.randn(outputs, inputs, generator=generator).bfloat16()
        packed = kernels.pack_linear(weight)
        calls: dict[str, Callable[[], object]] = {
            "torch bfloat16": lambda: linear(rows, weight),
            f"{_name(kernels)}, int8": lambda: kernels.linear_w8a8(rows, packed),
        }
        operations = 2 * _LINEAR_ROWS * inputs * outputs
        found = time_interleaved(calls, rounds=self.rounds, cancel=cancel)
        title = f"linear, {name}, {_LINEAR_ROWS} x {inputs} x {outputs}"
        return _figures(found, "torch bfloat16", title, operations, peaks)

    def _sparse(self, kernels: CppKernels, columns: int, cancel: Cancellation) -> list[Row]:
        query, key, value = _window(columns)

        def sparse() -> Tensor:
            blocks = choose_blocks(query, key)
            return kernels.prefill_attention(query, key, value, blocks=blocks)

        calls: dict[str, Callable[[], object]] = {
            "dense": lambda: kernels.prefill_attention(query, key, value),
            "block-sparse": sparse,
        }
        found = time_interleaved(calls, rounds=self._rounds(columns), cancel=cancel)
        return _figures(found, "dense", f"block-sparse prefill, {columns} tokens")

    def _rounds(self, columns: int) -> int:
        return self.rounds if columns <= 4096 else max(1, self.rounds // 2)


def measure_peaks(
    library: Library, instructions: str, *, rounds: int, cancel: Cancellation
) -> dict[str, list[float]]:
    """Thousand million operations a second of all threads, by kind; those that there are."""
    level = INSTRUCTIONS.index(instructions)
    found = {}
    for kind, name in enumerate(_KINDS):
        per_thread = library.peak(level, kind, _PEAK_ROUNDS)
        if not per_thread:
            continue
        done: list[int] = []
        work = partial(_work_at_peak, library, level, kind, done)
        taken = time_interleaved({name: partial(share, work)}, rounds=rounds, cancel=cancel)
        # Threads that began too late did nothing: count what was done.
        per_round = sum(done) / (rounds + 1)
        found[name] = [rate / 1e9 for rate in taken[name].rates(per_round)]
    return found


def _work_at_peak(library: Library, level: int, kind: int, done: list[int]) -> None:
    done.append(library.peak(level, kind, _PEAK_ROUNDS))


def _figures(
    found: dict[str, Timing],
    baseline: str,
    set_name: str,
    operations: int = 0,
    peaks: dict[str, float] | None = None,
) -> list[Row]:
    rows = []
    for method, timing in found.items():
        milliseconds = [seconds * 1000 for seconds in timing.seconds]
        rows.append(median_row(milliseconds, method=method, set_name=set_name, metric="ms"))
        if method != baseline:
            ratios = timing.speedups(found[baseline])
            metric = f"times {baseline}"
            rows.append(median_row(ratios, method=method, set_name=set_name, metric=metric))
        kind = "int8" if method.endswith("int8") else "bfloat16"
        if operations and peaks and kind in peaks:
            shares = [rate / 1e9 / peaks[kind] for rate in timing.rates(operations)]
            metric = f"share of {kind} peak"
            rows.append(median_row(shares, method=method, set_name=set_name, metric=metric))
    return rows


def _window(columns: int) -> tuple[Tensor, Tensor, Tensor]:
    return _random(_HEADS, columns), _random(_KEY_HEADS, columns), _random(_KEY_HEADS, columns)


def _random(heads: int, rows: int) -> Tensor:
    generator = torch.Generator().manual_seed(heads + rows)
    return torch.randn(heads, rows, _WIDTH, generator=generator).bfloat16()


def _eager(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    group = len(query) // len(key)
    logits = query @ key.repeat_interleave(group, dim=0).transpose(1, 2) / _WIDTH**0.5
    hidden = torch.ones(logits.shape[1:], dtype=torch.bool).triu(diagonal=1)
    shares = logits.masked_fill(hidden, float("-inf")).softmax(dim=-1)
    attended: Tensor = shares @ value.repeat_interleave(group, dim=0)
    return attended


def _name(kernels: CppKernels) -> str:
    return f"cpp {kernels.instructions}"
