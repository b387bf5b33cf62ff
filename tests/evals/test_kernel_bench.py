"""Benchmarks of kernels and of reading, small, and what is drawn of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, LeadlineError
from leadline.evals.bench_plot import curves, draw
from leadline.evals.kernel_bench import KernelBench
from leadline.evals.rows import Row
from leadline.evals.timing import Timing, median_row, time_interleaved
from leadline.kernels.library import load_library
from leadline.progress import silent


def test_calls_take_turns() -> None:
    order: list[str] = []
    calls = {name: lambda name=name: order.append(name) for name in ("a", "b")}
    found = time_interleaved(calls, rounds=3, cancel=Cancellation())
    assert order == ["a", "b"] * 4
    assert [len(timing.seconds) for timing in found.values()] == [3, 3]
    order.clear()
    time_interleaved(calls, rounds=1, warm_up=False, cancel=Cancellation())
    assert order == ["a", "b"]


def test_ratios_are_of_the_same_round() -> None:
    fast, slow = Timing((1.0, 2.0, 4.0)), Timing((3.0, 6.0, 4.0))
    assert fast.speedups(slow) == [3.0, 3.0, 1.0]
    assert fast.rates(8) == [8.0, 4.0, 2.0]
    row = median_row(fast.speedups(slow), method="fast", set_name="x", metric="times slow")
    assert (row.value, row.low, row.high, row.n) == (3.0, 1.0, 3.0, 3)


def test_every_kernel_has_figures() -> None:
    try:
        load_library()
    except LeadlineError as error:
        pytest.skip(str(error))
    bench = KernelBench(windows=[96], long_windows=[400], rounds=1)
    rows = bench.rows(cancel=Cancellation(), progress=silent)
    sets = {row.set.split(",")[0] for row in rows}
    assert sets == {"peak", "prefill", "scores", "cached", "linear", "block-sparse prefill"}
    assert all(row.value > 0 for row in rows)
    assert any(row.metric == "times torch sdpa" for row in rows)
    cancel = Cancellation()
    cancel.cancel()
    with pytest.raises(Cancelled):
        bench.rows(cancel=cancel, progress=silent)


def row(method: str, tokens: int, value: float, metric: str = "tokens a second") -> Row:
    return Row(method, "m", f"reading, {tokens} tokens", metric, value, value, value, 1)


def test_a_curve_goes_from_short_to_long() -> None:
    rows = [row("cpp", 2048, 2.0), row("cpp", 512, 1.0), row("torch", 512, 3.0)]
    rows.append(Row("machine", "", "peak", "int8 GFLOP/s", 1.0, 1.0, 1.0, 1))
    [(metric, methods)] = curves(rows).items()
    assert metric == "tokens a second"
    assert [[point.value for point in points] for points in methods.values()] == [[1.0, 2.0], [3.0]]


def test_it_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "figures.png"
    draw([row("cpp", 512, 1.0), row("cpp", 1024, 2.0)], path, title="somewhere")
    assert path.read_bytes().startswith(b"\x89PNG")
