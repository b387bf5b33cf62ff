"""The C++ kernels as functions of Python: structures and signatures of ``leadline_kernels.cpp``."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Callable
from ctypes import POINTER, Structure, c_float, c_int32, c_int64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import LeadlineError, ReadingError
from .compiling import compiled_library, prebuilt_library

INSTRUCTIONS = ("baseline", "avx2", "avx512")
"""Sets of instructions, each a superset of those before; the last has bfloat16 and int8 products."""

BLOCK_ROWS, BLOCK_COLUMNS = 192, 128
"""Of a block of attention that can be skipped."""
MAX_WIDTH = 256
"""Channels of a head at most."""
ITEM_ROWS, PACK_KEYS = 96, 512
"""Rows of an item of attention, and keys of an item of packing."""
OUTPUT_GROUP = 64
"""Outputs whose int8 weights are packed together."""

DONE, NOT_FINITE, NO_MEMORY = 0, 1, 2


class SequenceRecord(Structure):
    """``Sequence`` of the C++ file."""

    _fields_ = (
        ("query", c_void_p),
        ("key", c_void_p),
        ("value", c_void_p),
        ("attended", c_void_p),
        ("logsumexp", c_void_p),
        ("extra", c_void_p),
        ("blocks", c_void_p),
        ("rows", c_int64),
        ("columns", c_int64),
        ("query_head", c_int64),
        ("query_row", c_int64),
        ("key_head", c_int64),
        ("key_row", c_int64),
        ("value_head", c_int64),
        ("value_row", c_int64),
        ("attended_head", c_int64),
        ("attended_row", c_int64),
        ("logsumexp_head", c_int64),
        ("packed", c_int64),
        ("pack_item", c_int64),
        ("row_item", c_int64),
    )


class AttentionJob(Structure):
    """``AttentionJob`` of the C++ file."""

    _fields_ = (
        ("sequences", POINTER(SequenceRecord)),
        ("count", c_int64),
        ("packed", c_void_p),
        ("heads", c_void_p),
        ("row_weights", c_void_p),
        ("scores", c_void_p),
        ("first_column", c_int64),
        ("last_column", c_int64),
        ("query_heads", c_int64),
        ("key_heads", c_int64),
        ("width", c_int64),
        ("head_count", c_int64),
        ("scale", c_float),
        ("type", c_int32),
        ("causal", c_int32),
        ("instructions", c_int32),
        ("next_pack", c_int64),
        ("next_item", c_int64),
        ("status", c_int32),
    )


class LinearJob(Structure):
    """``LinearJob`` of the C++ file."""

    _fields_ = (
        ("input", c_void_p),
        ("output", c_void_p),
        ("weights", c_void_p),
        ("weight_scales", c_void_p),
        ("weight_sums", c_void_p),
        ("bias", c_void_p),
        ("outliers", c_void_p),
        ("outlier_weights", c_void_p),
        ("quantized", c_void_p),
        ("row_scales", c_void_p),
        ("outlier_values", c_void_p),
        ("rows", c_int64),
        ("inputs", c_int64),
        ("outputs", c_int64),
        ("outlier_count", c_int64),
        ("input_row", c_int64),
        ("output_row", c_int64),
        ("type", c_int32),
        ("instructions", c_int32),
        ("next_row", c_int64),
        ("next_tile", c_int64),
        ("status", c_int32),
    )


_CONSTANTS = (BLOCK_ROWS, BLOCK_COLUMNS, ITEM_ROWS, PACK_KEYS, MAX_WIDTH, OUTPUT_GROUP)


class Library:
    """The loaded functions. Those that take a job are called by several threads at once.

    Raises:
        ReadingError: the file cannot be loaded, or is of another version.
    """

    def __init__(self, path: Path) -> None:
        try:
            found = ctypes.CDLL(str(path))
        except OSError as error:
            raise ReadingError(
                f"the kernels in {path} cannot be loaded ({error})", remedy="remove the file"
            ) from error
        self.path = path
        try:
            self._bind(found)
        except AttributeError as error:
            raise self._of_another_version() from error

    def _bind(self, found: ctypes.CDLL) -> None:
        layout = _function(found.leadline_layout, (c_int32,), c_int64)
        constant = _function(found.leadline_constant, (c_int32,), c_int64)
        records = (SequenceRecord, AttentionJob, LinearJob)
        if [layout(place) for place in range(3)] != [ctypes.sizeof(record) for record in records]:
            raise self._of_another_version()
        if tuple(constant(place) for place in range(len(_CONSTANTS))) != _CONSTANTS:
            raise self._of_another_version()
        self.best_instructions = int(_function(found.leadline_instructions, (), c_int32)())
        """A place in :data:`INSTRUCTIONS`."""
        sizes = (c_int32, c_int32, c_int64, c_int64, c_int64)
        self.packed_bytes = _function(found.leadline_packed_bytes, sizes, c_int64)
        self.pack = _function(found.leadline_pack, (POINTER(AttentionJob),), None)
        self.attend = _function(found.leadline_attend, (POINTER(AttentionJob),), None)
        self.score = _function(found.leadline_score, (POINTER(AttentionJob),), None)
        self.quantize = _function(found.leadline_quantize, (POINTER(LinearJob),), None)
        self.multiply = _function(found.leadline_multiply, (POINTER(LinearJob),), None)
        matrix = (c_void_p, c_int64, c_int64, c_void_p)
        self.pack_linear = _function(found.leadline_pack_linear, matrix, None)
        self.peak = _function(found.leadline_peak, (c_int32, c_int32, c_int64), c_int64)

    def _of_another_version(self) -> ReadingError:
        return ReadingError(
            f"the kernels in {self.path} are of another version", remedy="remove the file"
        )


def _function(found: Any, arguments: tuple[Any, ...], result: Any) -> Callable[..., Any]:
    found.argtypes, found.restype = arguments, result
    function: Callable[..., Any] = found
    return function


def load_library() -> Library:
    """The kernels that came with the package, else those compiled here, once per process.

    Raises:
        ReadingError: they cannot be compiled or loaded; the reason is kept for this process.
        StorageError: the disk refused.
    """
    outcome = _outcome()
    if isinstance(outcome, LeadlineError):
        raise outcome
    return outcome


@cache
def _outcome() -> Library | LeadlineError:
    system, machine = platform.system(), platform.machine()
    if system not in ("Linux", "Darwin") or machine not in ("x86_64", "AMD64"):
        return ReadingError(f"the C++ kernels are made for x86-64, not for {system} on {machine}")
    try:
        return Library(prebuilt_library() or compiled_library())
    except LeadlineError as error:
        return error
