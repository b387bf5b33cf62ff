"""The window store: what it holds, what falls out first, and its caps."""

from __future__ import annotations

import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, ReadingError, StorageError
from leadline.locations import locations
from leadline.runtime.decoder import Prefix
from leadline.runtime.stored_window import Baseline, Precision, StoredWindow, WindowKey
from leadline.runtime.window_store import WindowStore

LAST_LAYER = 2
LENGTH = 24
MODEL = "ab" * 32
WINDOW_BYTES = (2 * LAST_LAYER + 1) * 2 * LENGTH * 16 * 2
"""Of a window in bf16."""
FILE_BYTES = WINDOW_BYTES + 2048
"""Of a file at most."""


def key_of(number: int, *, dtype: torch.dtype = torch.bfloat16) -> WindowKey:
    return WindowKey.of([1, 2, number], model_sha256=MODEL, last_layer=LAST_LAYER, dtype=dtype)


def window_of(
    number: int,
    *,
    pages: tuple[str, ...] = ("page",),
    dtype: torch.dtype = torch.bfloat16,
    length: int = LENGTH,
    baseline: bool = False,
) -> StoredWindow:
    """A window whose numbers depend on ``number``; keys with the offsets that biases give them."""
    generator = torch.Generator().manual_seed(number)

    def states(offset: float) -> torch.Tensor:
        spread = torch.randn(2, length, 16, generator=generator)
        return (spread + offset * torch.randn(2, 1, 16, generator=generator)).to(dtype)

    keys = [states(20) for _ in range(LAST_LAYER + 1)]
    values = [states(0) for _ in range(LAST_LAYER)]
    asked = Baseline("heads", torch.rand(3, length, generator=generator)) if baseline else None
    return StoredWindow(Prefix(length, keys, values, (2, length)), frozenset(pages), asked)


def assert_same(found: StoredWindow | None, expected: StoredWindow) -> None:
    assert found is not None
    assert found.prefix.length == expected.prefix.length
    assert found.prefix.columns == expected.prefix.columns
    for name in ("keys", "values"):
        ours, theirs = getattr(found.prefix, name), getattr(expected.prefix, name)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    if expected.baseline is None:
        assert found.baseline is None
    else:
        assert found.baseline is not None and found.baseline.asked == expected.baseline.asked
        torch.testing.assert_close(found.baseline.scores, expected.baseline.scores, rtol=0, atol=0)


def fails(message: str) -> None:
    raise AssertionError(message)


OpenStore = Callable[..., WindowStore]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[OpenStore]:
    """Opens stores on one folder, where a warning fails the test, and closes them."""
    stores: list[WindowStore] = []

    def build(**options: object) -> WindowStore:
        store = WindowStore(tmp_path / "windows", **{"warn": fails, **options})  # type: ignore[arg-type]
        stores.append(store)
        return store

    yield build
    for store in stores:
        store.close()


def test_a_window_comes_back_from_memory_and_from_disk(open_store: OpenStore) -> None:
    store = open_store()
    window = window_of(1, baseline=True)
    assert store.get(key_of(1)) is None
    store.put(key_of(1), window)
    assert_same(store.get(key_of(1)), window)
    store.close()
    again = open_store()
    found = again.get(key_of(1))
    assert_same(found, window)
    assert found is not None and found.page_ids == {"page"}
    stats = again.stats()
    assert (stats.hits, stats.misses, stats.memory_windows, stats.disk_windows) == (1, 0, 1, 1)
    assert stats.memory_bytes == WINDOW_BYTES + window_of(1, baseline=True).baseline.scores.nbytes  # type: ignore[union-attr]
    assert WINDOW_BYTES < stats.disk_bytes < FILE_BYTES


def test_it_lies_in_the_private_cache_folder() -> None:
    with WindowStore(warn=fails) as store:
        store.put(key_of(1), window_of(1))
        store.flush()
    folder = locations().cache / "windows"
    files = [path for path in folder.iterdir() if path.suffix == ".safetensors"]
    assert len(files) == 1
    assert folder.stat().st_mode & 0o777 == 0o700
    assert files[0].stat().st_mode & 0o777 == 0o600


def test_everything_that_the_numbers_depend_on_is_in_the_key(open_store: OpenStore) -> None:
    store = open_store()
    store.put(key_of(1), window_of(1))
    others = [
        WindowKey.of([1, 2], model_sha256=MODEL, last_layer=2, dtype=torch.bfloat16),
        WindowKey.of([2, 1, 1], model_sha256=MODEL, last_layer=2, dtype=torch.bfloat16),
        WindowKey.of([1, 2, 1], model_sha256="cd" * 32, last_layer=2, dtype=torch.bfloat16),
        WindowKey.of([1, 2, 1], model_sha256=MODEL, last_layer=1, dtype=torch.bfloat16),
        WindowKey.of([1, 2, 1], model_sha256=MODEL, last_layer=2, dtype=torch.float32),
        WindowKey.of([1, 2, 1], model_sha256=MODEL, last_layer=2, dtype=torch.bfloat16, whole=True),
    ]
    assert len({key_of(1), *others}) == 7
    assert [store.get(key) for key in others] == [None] * 6
    assert key_of(1) == WindowKey.of(
        (1, 2, 1), model_sha256=MODEL, last_layer=2, dtype=torch.bfloat16
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_error_is_that_of_the_precision_wherever_the_window_lay(
    open_store: OpenStore, dtype: torch.dtype, precision: Precision
) -> None:
    store = open_store(precision=precision)
    window = window_of(3, dtype=dtype)
    store.put(key_of(3, dtype=dtype), window)
    in_memory = store.get(key_of(3, dtype=dtype))
    store.close()
    on_disk = open_store(precision=precision).get(key_of(3, dtype=dtype))
    assert in_memory is not None
    assert_same(on_disk, in_memory)
    pairs = zip(
        in_memory.prefix.keys + in_memory.prefix.values,
        window.prefix.keys + window.prefix.values,
        strict=True,
    )
    for found, exact in pairs:
        assert found.dtype == dtype
        found, exact = found.float(), exact.float()
        rounding = exact.abs() / 256
        if precision == "int8":
            step = (exact.amax(dim=1, keepdim=True) - exact.amin(dim=1, keepdim=True)) / 254
            bound = step * 0.51 + (rounding if dtype == torch.bfloat16 else 0)
        else:
            bound = rounding if dtype == torch.float32 else torch.zeros(())
        assert bool(((found - exact).abs() <= bound + 1e-6).all())


def test_int8_halves_the_bytes_and_is_kept_apart_from_bf16(open_store: OpenStore) -> None:
    exact, coarse = open_store(), open_store(precision="int8")
    long = window_of(1, length=1000)
    for store in (exact, coarse):
        store.put(key_of(1), long)
        store.flush()
    assert coarse.stats().memory_bytes < 0.53 * exact.stats().memory_bytes
    assert_same(exact.get(key_of(1)), long)
    assert exact.stats().disk_windows == 2


def test_constant_channels_survive_int8(open_store: OpenStore) -> None:
    flat = [torch.full((2, LENGTH, 16), value, dtype=torch.bfloat16) for value in (0.0, 3.5, -80.0)]
    window = StoredWindow(Prefix(LENGTH, flat, flat[:2], (2, LENGTH)), frozenset())
    store = open_store(precision="int8")
    store.put(key_of(1), window)
    assert_same(store.get(key_of(1)), window)


def test_what_was_put_may_change_afterwards(open_store: OpenStore) -> None:
    store = open_store()
    window = window_of(1)
    store.put(key_of(1), window)
    for states in window.prefix.keys:
        states.zero_()
    assert_same(store.get(key_of(1)), window_of(1))


def test_windows_read_in_inference_mode(open_store: OpenStore) -> None:
    with torch.inference_mode():
        window = window_of(1, dtype=torch.float32)
    store = open_store(precision="int8")
    store.put(key_of(1, dtype=torch.float32), window)
    with torch.inference_mode():
        inside = store.get(key_of(1, dtype=torch.float32))
    outside = store.get(key_of(1, dtype=torch.float32))
    assert inside is not None
    assert_same(outside, inside)


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        (Prefix(0), "empty"),
        (Prefix(4, window_of(1).prefix.keys, window_of(1).prefix.values), "do not fit a window"),
        (Prefix(LENGTH, window_of(1).prefix.keys[:2], []), "2 layers of keys"),
        (Prefix(LENGTH, window_of(1).prefix.keys, []), "0 of values"),
        (
            Prefix(
                LENGTH,
                window_of(1, dtype=torch.float32).prefix.keys,
                window_of(1, dtype=torch.float32).prefix.values,
            ),
            r"in torch\.float32, its key says torch\.bfloat16",
        ),
    ],
)
def test_windows_that_do_not_fit_their_key(
    open_store: OpenStore, prefix: Prefix, reason: str
) -> None:
    store = open_store()
    with pytest.raises(ReadingError, match=reason):
        store.put(key_of(1), StoredWindow(prefix, frozenset()))
    assert store.get(key_of(1)) is None


def test_types_and_precisions_that_are_not_stored(open_store: OpenStore) -> None:
    half = window_of(1, dtype=torch.float16)
    with pytest.raises(ReadingError, match="windows in float16 are not stored"):
        open_store().put(key_of(1, dtype=torch.float16), half)
    with pytest.raises(ReadingError, match="not stored in int4"):
        open_store(precision="int4").put(key_of(1), window_of(1))


STEPS = st.lists(st.tuples(st.sampled_from(["put", "get"]), st.integers(0, 4)), max_size=30)
USE_SAVES = [("put", 0), ("put", 1), ("get", 0), ("put", 2), ("get", 0), ("get", 1)]


@settings(max_examples=100, deadline=None)
@given(capacity=st.integers(0, 3), steps=STEPS)
@example(capacity=2, steps=USE_SAVES)
def test_memory_alone_keeps_the_last_used(capacity: int, steps: list[tuple[str, int]]) -> None:
    used: OrderedDict[int, None] = OrderedDict()
    room = capacity * WINDOW_BYTES + 1
    with WindowStore(Path("unused"), memory_bytes=room, disk_bytes=0, warn=fails) as store:
        for step, number in steps:
            if step == "put":
                store.put(key_of(number), window_of(number))
                used[number] = None
            else:
                assert (store.get(key_of(number)) is not None) == (number in used)
            if number in used:
                used.move_to_end(number)
            while len(used) > capacity:
                used.popitem(last=False)
            stats = store.stats()
            assert stats.memory_windows == len(used)
            assert stats.memory_bytes == len(used) * WINDOW_BYTES <= room
        assert store.stats().disk_windows == 0
    assert not Path("unused").exists()


@settings(max_examples=30, deadline=None)
@given(capacity=st.integers(1, 3), steps=STEPS)
@example(capacity=2, steps=USE_SAVES)
def test_disk_alone_keeps_the_last_used(capacity: int, steps: list[tuple[str, int]]) -> None:
    used: OrderedDict[int, None] = OrderedDict()
    room = capacity * FILE_BYTES
    with (
        tempfile.TemporaryDirectory() as folder,
        WindowStore(Path(folder), memory_bytes=0, disk_bytes=room, warn=fails) as store,
    ):
        for step, number in steps:
            if step == "put":
                store.put(key_of(number), window_of(number))
                used[number] = None
            else:
                assert (store.get(key_of(number)) is not None) == (number in used)
            if number in used:
                used.move_to_end(number)
            while len(used) > capacity:
                used.popitem(last=False)
            stats = store.stats()
            assert stats.disk_bytes <= room and stats.memory_bytes == 0
            assert stats.disk_windows == len(used)


class Use(RuleBasedStateMachine):
    """Any use of a store: caps hold, and what comes back is what was put."""

    MEMORY = 3 * WINDOW_BYTES
    DISK = 5 * FILE_BYTES
    NUMBERS = st.integers(0, 9)

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.pages: dict[int, set[str]] = {}
        self.lengths: dict[int, int] = {}
        self.store = self.opened()

    def opened(self) -> WindowStore:
        folder = Path(self.folder.name)
        return WindowStore(folder, memory_bytes=self.MEMORY, disk_bytes=self.DISK, warn=fails)

    @rule(number=NUMBERS, page=st.sampled_from("abc"), length=st.sampled_from([3, 24, 60, 96]))
    def put(self, number: int, page: str, length: int) -> None:
        length = self.lengths.setdefault(number, length)
        self.store.put(key_of(number), window_of(number, pages=(page,), length=length))
        self.pages.setdefault(number, set()).add(page)

    @rule(number=NUMBERS)
    def get(self, number: int) -> None:
        found = self.store.get(key_of(number))
        if found is not None:
            assert_same(found, window_of(number, length=self.lengths[number]))
            assert found.page_ids and found.page_ids <= self.pages[number]

    @rule(numbers=st.lists(NUMBERS, max_size=5))
    def get_many(self, numbers: list[int]) -> None:
        for number, found in zip(
            numbers, self.store.get_many([key_of(n) for n in numbers]), strict=True
        ):
            if found is not None:
                assert_same(found, window_of(number, length=self.lengths[number]))

    @rule(page=st.sampled_from("abc"))
    def forget(self, page: str) -> None:
        self.store.forget(page)
        for number, pages in list(self.pages.items()):
            if page in pages:
                assert self.store.get(key_of(number)) is None
                del self.pages[number]

    @rule()
    def clear(self) -> None:
        self.store.clear()
        stats = self.store.stats()
        assert stats.memory_windows == stats.memory_bytes == stats.disk_windows == 0
        self.pages.clear()

    @precondition(lambda self: self.pages)
    @rule()
    def flush(self) -> None:
        self.store.flush()

    @rule()
    def reopen(self) -> None:
        self.store.close()
        self.store = self.opened()

    @invariant()
    def caps_hold(self) -> None:
        stats = self.store.stats()
        assert stats.memory_bytes <= self.MEMORY
        assert stats.disk_bytes <= self.DISK
        assert stats.disk_error is None

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()


TestUse = Use.TestCase
TestUse.settings = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def test_what_falls_out_of_memory_is_on_disk(open_store: OpenStore) -> None:
    store = open_store(memory_bytes=2 * WINDOW_BYTES)
    for number in range(8):
        store.put(key_of(number), window_of(number))
    windows = list(store.get_many([key_of(number) for number in range(8)]))
    for number, window in enumerate(windows):
        assert_same(window, window_of(number))
    stats = store.stats()
    assert stats.memory_windows == 2 and stats.memory_evictions >= 6


def test_use_in_memory_counts_as_use_on_disk(open_store: OpenStore) -> None:
    store = open_store(disk_bytes=3 * FILE_BYTES)
    for number in range(3):
        store.put(key_of(number), window_of(number))
    store.flush()
    store.get(key_of(0))
    store.put(key_of(3), window_of(3))
    store.close()
    again = open_store(disk_bytes=3 * FILE_BYTES)
    assert [again.get(key_of(n)) is not None for n in range(4)] == [True, False, True, True]


def test_window_larger_than_the_disk_cap_stays_in_memory(open_store: OpenStore) -> None:
    store = open_store(disk_bytes=3 * FILE_BYTES)
    store.put(key_of(0), window_of(0))
    store.put(key_of(1), window_of(1, length=10 * LENGTH))
    store.flush()
    assert_same(store.get(key_of(1)), window_of(1, length=10 * LENGTH))
    assert store.stats().disk_windows == 1


def test_forgotten_page_takes_the_windows_it_shares(open_store: OpenStore) -> None:
    store = open_store()
    store.put(key_of(1), window_of(1, pages=("a", "b")))
    store.put(key_of(2), window_of(2, pages=("b",)))
    store.put(key_of(3), window_of(3, pages=("a",)))
    store.flush()
    store.put(key_of(2), window_of(2, pages=("c",)))
    store.forget("a")
    assert [store.get(key_of(n)) is not None for n in (1, 2, 3)] == [False, True, False]
    store.flush()
    store.forget("b")
    assert store.get(key_of(2)) is None and store.stats().disk_windows == 0


def test_pages_of_a_window_on_disk_are_added_to(open_store: OpenStore) -> None:
    open_store(memory_bytes=0).put(key_of(1), window_of(1, pages=("a",)))
    second = open_store(memory_bytes=0)
    second.put(key_of(1), window_of(1, pages=("b",)))
    found = second.get(key_of(1))
    assert found is not None and found.page_ids == {"a", "b"}


def test_adding_a_page_at_the_cap_evicts_nothing(open_store: OpenStore) -> None:
    store = open_store(memory_bytes=0, disk_bytes=2 * FILE_BYTES)
    store.put(key_of(1), window_of(1, pages=("a",)))
    store.put(key_of(2), window_of(2, pages=("a",)))
    store.put(key_of(2), window_of(2, pages=("b",)))
    assert store.get(key_of(1)) is not None and store.stats().disk_evictions == 0


def test_a_baseline_can_be_added(open_store: OpenStore) -> None:
    store = open_store()
    store.put(key_of(1), window_of(1))
    store.put(key_of(1), window_of(1, baseline=True))
    assert_same(store.get(key_of(1)), window_of(1, baseline=True))
    assert store.stats().memory_windows == 1


def test_closed_store(open_store: OpenStore) -> None:
    store = open_store()
    store.put(key_of(1), window_of(1))
    store.close()
    store.close()
    with pytest.raises(StorageError, match="the window store is closed"):
        store.get(key_of(1))
    with pytest.raises(StorageError, match="the window store is closed"):
        store.put(key_of(1), window_of(1))


def test_waiting_for_the_disk_can_be_cancelled(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, proceed = threading.Event(), threading.Event()

    def slow_disk(descriptor: int) -> None:
        started.set()
        assert proceed.wait(20)

    monkeypatch.setattr("leadline.storage.os.fsync", slow_disk)
    store = open_store(memory_bytes=WINDOW_BYTES)
    cancel = Cancellation()
    store.put(key_of(0), window_of(0), cancel=cancel)
    assert started.wait(20)
    threading.Timer(0.05, cancel.cancel).start()
    try:
        with pytest.raises(Cancelled):
            store.put(key_of(1), window_of(1), cancel=cancel)
        assert_same(store.get(key_of(0)), window_of(0))
        assert store.stats().memory_bytes == WINDOW_BYTES
    finally:
        proceed.set()


def test_threads_share_a_store(open_store: OpenStore) -> None:
    memory, disk = 4 * WINDOW_BYTES, 6 * FILE_BYTES
    store = open_store(memory_bytes=memory, disk_bytes=disk)
    expected = {number: window_of(number) for number in range(12)}
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        try:
            for step in range(40):
                number = (worker * 5 + step * 7) % 12
                if (found := store.get(key_of(number))) is None:
                    store.put(key_of(number), expected[number])
                else:
                    assert_same(found, expected[number])
                if step == 20 and worker == 0:
                    store.clear()
                stats = store.stats()
                assert stats.memory_bytes <= memory and stats.disk_bytes <= disk
        except BaseException as error:  # noqa: BLE001 (reported by the test's own thread)
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert store.stats().hits + store.stats().misses == 160
