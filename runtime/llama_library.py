"""llama.cpp's library, made fit for a process that does other things too."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final

_ERROR_LEVEL: Final = 4
_CONTINUATION_LEVEL: Final = 5
_THREAD_SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")

_last_errors: deque[str] = deque(maxlen=4)


@functools.cache
def library() -> ModuleType:
    """The ``llama_cpp`` module: silent, its last errors kept for :func:`last_error`."""
    with _passive_openmp():
        import llama_cpp

    llama_cpp.llama_log_set(_keep_errors(llama_cpp), ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    return llama_cpp


def forget_errors() -> None:
    _last_errors.clear()


def last_error() -> str:
    """What llama.cpp logged last as an error; empty if nothing."""
    return " ".join("".join(_last_errors).split())


class AbortSwitch:
    """Ends ``llama_decode`` from another thread, between two nodes of its graph.

    llama.cpp calls ``bool abort(void *data)`` from its compute threads hundreds of times a token.
    A Python function there would wait for the interpreter's lock each time, so C's ``strlen``
    serves: of an empty string it is 0, of a one-letter string 1.
    """

    def __init__(self) -> None:
        self._flag = ctypes.create_string_buffer(2)

    def connect(self, context: Any) -> None:
        """Let ``context`` obey this switch, which has to outlive it."""
        c = library()
        callback = ctypes.cast(ctypes.CDLL(None).strlen, c.ggml_abort_callback)
        c.llama_set_abort_callback(context, callback, ctypes.cast(self._flag, ctypes.c_void_p))

    def press(self) -> None:
        self._flag.value = b"x"

    def release(self) -> None:
        self._flag.value = b""


def usable_cores() -> int:
    """Physical cores that this process may use: decoding gains nothing from a second hyperthread."""
    allowed = _allowed_cpus()
    cores = len({_siblings(cpu) for cpu in allowed})
    with contextlib.suppress(OSError, ValueError):
        quota, period = _CPU_QUOTA.read_text().split()
        if quota != "max":
            cores = min(cores, -(-int(quota) // int(period)))
    return max(1, cores)


def _allowed_cpus() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _siblings(cpu: int) -> str:
    try:
        return Path(_THREAD_SIBLINGS.format(cpu)).read_text().strip()
    except OSError:
        return str(cpu)


@contextlib.contextmanager
def _passive_openmp() -> Iterator[None]:
    """Let the OpenMP runtime that is loaded inside put waiting threads to sleep.

    By default they spin: with one other busy thread on two cores, decoding falls to a tenth of
    what sleeping threads reach. The variable is read once, while the library loads.
    """
    if "OMP_WAIT_POLICY" in os.environ:
        yield
        return
    os.environ["OMP_WAIT_POLICY"] = "passive"
    try:
        yield
    finally:
        del os.environ["OMP_WAIT_POLICY"]


@functools.cache
def _keep_errors(llama_cpp: ModuleType) -> Any:
    level_of_line = 0

    def keep(level: int, text: bytes, _: ctypes.c_void_p) -> None:
        nonlocal level_of_line
        if level != _CONTINUATION_LEVEL:
            level_of_line = level
        if level_of_line == _ERROR_LEVEL:
            _last_errors.append(text.decode("utf-8", errors="replace"))

    return llama_cpp.llama_log_callback(keep)
