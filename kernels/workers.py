"""Threads that share one piece of work with the thread that asks for it."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import torch


def share(work: Callable[[], object], *, threads: int | None = None) -> None:
    """Call ``work`` here and in other threads at once; returns when every call has.

    ``work`` takes its items from a counter that the calls share, so that it does not matter how
    many there are: one that had not begun when this thread found nothing left is dropped.

    Args:
        threads: how many at most, this one included; as many as torch uses when not given.
    """
    others = (threads or torch.get_num_threads()) - 1
    started = [_pool().submit(work) for _ in range(others)]
    try:
        work()
    finally:
        for future in [future for future in started if not future.cancel()]:
            future.result()


@cache
def _pool() -> ThreadPoolExecutor:
    """One pool for the process; it makes its threads as they are needed."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="leadline-kernels")


# A forked child has none of its parent's threads.
os.register_at_fork(after_in_child=_pool.cache_clear)
