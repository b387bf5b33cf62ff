"""Work that several threads take items of."""

from __future__ import annotations

import itertools
import multiprocessing
from threading import Barrier, get_ident

import pytest

from leadline.kernels.workers import share


def test_every_item_is_done_once_by_several_threads() -> None:
    items, done, threads = itertools.count(), list[int](), set[int]()
    together = Barrier(2, timeout=30)

    def work() -> None:
        together.wait()
        threads.add(get_ident())
        while (item := next(items)) < 1000:
            done.append(item)

    share(work, threads=2)
    assert sorted(done) == list(range(1000))
    assert len(threads) == 2


def test_an_error_in_any_thread_arrives() -> None:
    callers = itertools.count()
    together = Barrier(2, timeout=30)

    def work() -> None:
        together.wait()
        if next(callers) == 1:
            raise ValueError("spoilt")

    with pytest.raises(ValueError, match="spoilt"):
        share(work, threads=2)


def test_a_forked_child_has_threads_of_its_own() -> None:
    share(lambda: None, threads=2)
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_share_in_child)
    child.start()
    child.join(30)
    assert child.exitcode == 0


def _share_in_child() -> None:
    together = Barrier(2, timeout=20)
    share(together.wait, threads=2)
