"""The window store's files: damage, other processes, kills, eviction under a reader, full disks."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from leadline.errors import StorageError
from leadline.runtime.stored_window import FORMAT, StoredWindow
from leadline.runtime.window_store import WindowStore

from .test_window_store import FILE_BYTES, WINDOW_BYTES, assert_same, fails, key_of, window_of


def opened(
    folder: Path, *, memory_bytes: int = 0, disk_bytes: int = 1 << 30, warn: object = fails
) -> WindowStore:
    """A store that, without memory, writes in ``put`` and maps in ``get``."""
    return WindowStore(folder, memory_bytes=memory_bytes, disk_bytes=disk_bytes, warn=warn)  # type: ignore[arg-type]


def filled(folder: Path, *numbers: int) -> list[Path]:
    """Writes windows; their files, in that order."""
    paths: list[Path] = []
    with opened(folder) as store:
        for number in numbers:
            store.put(key_of(number), window_of(number, baseline=True))
            paths += [path for path in windows_in(folder) if path not in paths]
    return paths


def windows_in(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.endswith(".safetensors")]


def test_a_mapped_window_outlives_its_file(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    with opened(tmp_path) as reader, opened(tmp_path, disk_bytes=FILE_BYTES) as other:
        mapped = reader.get(key_of(1))
        other.put(key_of(2), window_of(2))
        assert reader.get(key_of(1)) is None
        assert_same(mapped, window_of(1, baseline=True))
    assert_same(mapped, window_of(1, baseline=True))


def test_writing_to_what_was_mapped_leaves_the_file(tmp_path: Path) -> None:
    filled(tmp_path, 1)
    with opened(tmp_path) as store:
        first = store.get(key_of(1))
        assert first is not None
        first.prefix.keys[0].zero_()
        assert_same(store.get(key_of(1)), window_of(1, baseline=True))


def test_another_stores_use_keeps_a_window(tmp_path: Path) -> None:
    filled(tmp_path, 1, 2)
    with opened(tmp_path) as reader, opened(tmp_path, disk_bytes=2 * FILE_BYTES) as writer:
        assert reader.get(key_of(1)) is not None
        writer.put(key_of(3), window_of(3))
        assert [reader.get(key_of(n)) is not None for n in (1, 2, 3)] == [True, False, True]


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damaged_file_is_a_miss_and_is_removed(data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        [path] = filled(folder, 1)
        whole = path.read_bytes()
        place = data.draw(st.one_of(st.integers(0, 1500), st.integers(0, len(whole) - 1)))
        kind = data.draw(st.sampled_from(["flip", "cut", "extend", "zero", "replace"]))
        if kind == "flip":
            bit = data.draw(st.integers(0, 7))
            damaged = whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]
        elif kind == "cut":
            damaged = whole[:place]
        elif kind == "extend":
            damaged = whole + whole[: place + 1]
        elif kind == "zero":
            damaged = whole[:place] + bytes(len(whole) - place)
        else:
            damaged = data.draw(st.binary(max_size=200))
        path.write_bytes(damaged)
        with opened(folder) as store:
            found = store.get(key_of(1))
            if found is not None:
                # White space of the file's own header may change without harm.
                assert_same(found, window_of(1, baseline=True))
                assert kind in ("flip", "zero")
            else:
                assert not path.exists()
            store.put(key_of(1), window_of(1, baseline=True))
            assert_same(store.get(key_of(1)), window_of(1, baseline=True))


def test_damaged_files_do_not_keep_from_forgetting(tmp_path: Path) -> None:
    first, second, third = filled(tmp_path, 1, 2, 3)
    first.write_bytes(b"")
    second.write_bytes(b"\xff" * 4000)
    with opened(tmp_path) as store:
        store.forget("page")
        assert not first.exists() and not second.exists() and not third.exists()


def test_foreign_files(tmp_path: Path) -> None:
    first, second = filled(tmp_path, 1, 2)
    note = tmp_path / "note.txt"
    note.write_text("not ours")
    save_file({"keys": torch.ones(3)}, first)
    second.write_bytes(filled(tmp_path / "other", 3)[0].read_bytes())
    with opened(tmp_path) as store:
        assert store.get(key_of(1)) is None and store.get(key_of(2)) is None
        assert not first.exists() and not second.exists()
        store.clear()
    assert note.read_text() == "not ours"


def test_windows_of_another_format(tmp_path: Path) -> None:
    [path] = filled(tmp_path, 1)
    stale = path.with_name(path.name.replace(f"{FORMAT}-", f"{FORMAT - 1}-", 1))
    newer = path.with_name(path.name.replace(f"{FORMAT}-", f"{FORMAT + 1}-", 1))
    shutil.copy(path, stale)
    shutil.copy(path, newer)
    with opened(tmp_path) as store:
        assert not stale.exists() and newer.exists()
        assert store.get(key_of(1)) is not None
        assert store.get(replace(key_of(1), format=FORMAT + 1)) is None


def test_a_file_that_states_another_format_is_stale(tmp_path: Path) -> None:
    [path] = filled(tmp_path, 1)
    content = path.read_bytes()
    stated, stale = (f'\\"format\\":{version}'.encode() for version in (FORMAT, FORMAT - 1))
    assert content.count(stated) == 1
    path.write_bytes(content.replace(stated, stale))
    with opened(tmp_path) as store:
        assert store.get(key_of(1)) is None
    assert not path.exists()


def test_what_killed_writers_left_counts_and_is_swept_later(tmp_path: Path) -> None:
    [path] = filled(tmp_path, 1)
    old, young = (tmp_path / f".{path.name}.{suffix}" for suffix in ("old", "young"))
    for leftover in (old, young):
        leftover.write_bytes(bytes(FILE_BYTES))
    hour_ago = time.time() - 3600
    os.utime(old, (hour_ago, hour_ago))
    with opened(tmp_path, disk_bytes=2 * FILE_BYTES) as store:
        assert not old.exists() and young.exists()
        store.put(key_of(2), window_of(2))
        assert store.get(key_of(2)) is not None and store.get(key_of(1)) is None


def test_folder_removed_meanwhile(tmp_path: Path) -> None:
    folder = tmp_path / "windows"
    filled(folder, 1)
    with opened(folder) as store:
        shutil.rmtree(folder)
        assert store.get(key_of(1)) is None
        assert store.stats().disk_windows == 0
        store.forget("page")
        store.put(key_of(2), window_of(2))
        assert store.get(key_of(2)) is not None


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    warnings: list[str] = []
    with opened(tmp_path / "file" / "windows", memory_bytes=1 << 20, warn=warnings.append) as store:
        store.put(key_of(1), window_of(1))
        assert_same(store.get(key_of(1)), window_of(1))
        assert len(warnings) == 1 and "no longer kept on disk: cannot create" in warnings[0]
        with pytest.raises(StorageError, match="cannot create"):
            store.flush()


def test_disk_without_a_reserve_is_left_alone(small_disk: Path) -> None:
    warnings: list[str] = []
    with opened(small_disk, memory_bytes=3 * WINDOW_BYTES, warn=warnings.append) as store:
        for number in range(6):
            store.put(key_of(number), window_of(number))
        with pytest.raises(StorageError, match="MB of reserve are needed"):
            store.flush()
        assert [store.get(key_of(n)) is not None for n in range(6)] == [False] * 3 + [True] * 3
        stats = store.stats()
    assert stats.disk_windows == 0 and "MB of reserve are needed" in (stats.disk_error or "")
    assert len(warnings) == 1 and "free some space" in warnings[0]


def test_a_writer_that_hangs_stops_only_the_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leadline.runtime.window_files._LOCK_SECONDS", 0.05)
    filled(tmp_path, 1)
    warnings: list[str] = []
    with (tmp_path / ".lock").open() as lock, opened(tmp_path, warn=warnings.append) as store:
        fcntl.flock(lock, fcntl.LOCK_EX)
        store.put(key_of(2), window_of(2))
        assert store.get(key_of(1)) is not None and store.get(key_of(2)) is None
    assert len(warnings) == 1 and "another process keeps" in warnings[0]


_PROCESS = """
import json, os, random, resource, sys, time
from pathlib import Path
import torch
from leadline.runtime.decoder import Prefix
from leadline.runtime.stored_window import StoredWindow, WindowKey
from leadline.runtime.window_store import WindowStore

torch.set_num_threads(1)
folder, options = Path(sys.argv[1]), json.loads(sys.argv[2])

def key(number):
    return WindowKey.of([number], model_sha256="ab" * 32, last_layer=1, dtype=torch.bfloat16)

def window(number, length=100):
    states = [torch.full((2, length, 64), float(number), dtype=torch.bfloat16) for _ in range(3)]
    return StoredWindow(Prefix(length, states[:2], states[2:]), frozenset({f"page {number}"}))

def check(found, number):
    states = [*found.prefix.keys, *found.prefix.values]
    assert all(bool((tensor == number).all()) for tensor in states), number
"""


def process(script: str, folder: Path, **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _PROCESS + script, str(folder), json.dumps(options)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_processes_write_and_evict_under_each_other(tmp_path: Path) -> None:
    script = """
def fail(message): raise AssertionError(message)

hits = 0
draw = random.Random(options["seed"])
with WindowStore(folder, memory_bytes=options["memory"], disk_bytes=250_000, warn=fail) as store:
    for step in range(150):
        number = draw.randrange(8)
        found = store.get(key(number))
        if found is None:
            store.put(key(number), window(number))
        else:
            hits += 1
            check(found, number)
        if step % 30 == 29:
            store.forget(f"page {number}")
        stats = store.stats()
        assert stats.disk_bytes <= 250_000 and stats.memory_bytes <= options["memory"], stats
print(hits)
"""
    workers = [process(script, tmp_path, seed=n, memory=n * 160_000) for n in range(2)]
    for worker in workers:
        output, errors = worker.communicate(timeout=120)
        assert (errors, worker.returncode) == ("", 0)
        assert int(output) > 0
    names = {path.name for path in tmp_path.iterdir()} - {".lock"}
    assert names == {path.name for path in windows_in(tmp_path)} != set()


def test_killed_in_the_middle_of_a_write(tmp_path: Path) -> None:
    script = """
with WindowStore(folder, warn=print) as store:
    store.put(key(1), window(1))
    store.flush()
    def die(descriptor):
        print("in the middle", flush=True)
        time.sleep(60)
    os.fsync = die
    store.put(key(2), window(2))
    time.sleep(60)
"""
    worker = process(script, tmp_path)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "in the middle\n"
    worker.kill()
    worker.wait(20)
    worker.stdout.close()
    leftovers = [path for path in tmp_path.iterdir() if path.name.startswith(f".{FORMAT}-")]
    assert len(leftovers) == 1 and len(windows_in(tmp_path)) == 1
    with opened(tmp_path) as store:
        store.put(key_of(1), window_of(1))
        assert_same(store.get(key_of(1)), window_of(1))
        assert store.stats().disk_windows == 2 and leftovers[0].exists()
    hour_ago = time.time() - 3600
    os.utime(leftovers[0], (hour_ago, hour_ago))
    with opened(tmp_path):
        assert not leftovers[0].exists()


def test_killed_at_any_moment(tmp_path: Path) -> None:
    script = """
with WindowStore(folder, memory_bytes=10_000_000, disk_bytes=3_000_000, warn=print) as store:
    print("ready", flush=True)
    for number in range(100_000):
        store.put(key(number), window(number, length=1000))
"""
    check = """
found = 0
with WindowStore(folder, warn=print) as store:
    for number in range(100_000):
        if (window := store.get(key(number))) is not None:
            check(window, number)
            found += 1
        if found == options["windows"]: break
print(found)
"""
    for delay in (0.05, 0.3):
        worker = process(script, tmp_path)
        assert worker.stdout is not None and worker.stdout.readline() == "ready\n"
        while not windows_in(tmp_path):
            time.sleep(0.01)
        time.sleep(delay)
        worker.kill()
        worker.communicate(timeout=20)
    windows = len(windows_in(tmp_path))
    assert 0 < windows <= 3
    checker = process(check, tmp_path, windows=windows)
    assert checker.communicate(timeout=120) == (f"{windows}\n", "")


def test_full_disk(tmp_path: Path) -> None:
    script = """
warnings = []
with WindowStore(folder, memory_bytes=1_000_000, warn=warnings.append) as store:
    store.put(key(1), window(1))
    store.flush()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limit[1]))
    for number in range(2, 30):
        store.put(key(number), window(number))
    check(store.get(key(29)), 29)
    try:
        store.flush()
    except Exception as error:
        print(type(error).__name__)
    resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    store.put(key(30), window(30))
    assert store.stats().disk_windows == 1 and store.stats().disk_error
    check(store.get(key(1)), 1)
assert len(warnings) == 1 and "no longer kept on disk: cannot write" in warnings[0], warnings
assert [path.name for path in folder.iterdir() if path.name.startswith(".1-")] == []
"""
    worker = process(script, tmp_path)
    assert worker.communicate(timeout=60) == ("StorageError\n", "")
    assert worker.returncode == 0


TEXT = (
    "A lead line is a weighted rope, marked with leather and cloth at known lengths. A sailor "
    "swings the lead ahead of the ship, lets it sink, and reads the mark at the surface when the "
    "rope stands straight: that is the depth under the keel. Tallow in the hollow of the lead "
    "brings up sand or shells, which tell what kind of ground lies below. Bread rises because "
    "yeast lives in it. In harbour the tide turns twice a day. "
)


@pytest.mark.slow
def test_attention_of_the_real_model_after_int8(
    tmp_path: Path, real_models: Callable[..., None]
) -> None:
    from leadline.runtime.catalogue import resolve
    from leadline.runtime.decoder import Decoder
    from leadline.runtime.gguf_weights import convert
    from leadline.runtime.heads import find_head_table
    from leadline.runtime.stored_window import WindowKey
    from leadline.runtime.tokenizer import TextTokenizer

    real_models("qwen2.5-coder-0.5b")
    files = resolve("qwen2.5-coder-0.5b")
    model = convert(files.weights, sha256=files.sha256)
    table = find_head_table(model.config.gguf_sha256)
    tokenizer = TextTokenizer(model.tokenizer)
    decoder = Decoder(model, last_layer=table.exit_layer, dtype=torch.float32)
    text = tokenizer.encode(TEXT).ids
    question = tokenizer.encode(" What tells a sailor what lies on the ground of the sea?").ids
    read = decoder.prefill(text)
    key = WindowKey.of(
        text,
        model_sha256=model.config.gguf_sha256,
        last_layer=table.exit_layer,
        dtype=torch.float32,
    )

    def attention(window: StoredWindow | None) -> torch.Tensor:
        assert window is not None
        columns = (0, len(text))
        return decoder.score(window.prefix, question, heads=table.decoder_heads, columns=columns)

    exact = attention(StoredWindow(read, frozenset()))
    errors = {}
    for precision in ("bf16", "int8"):
        for _ in range(2):
            with WindowStore(tmp_path, precision=precision, warn=fails) as store:
                if (found := store.get(key)) is None:
                    store.put(key, StoredWindow(read, frozenset()))
                    found = store.get(key)
                errors[precision] = float(
                    (attention(found) - exact).abs().sum() / exact.abs().sum()
                )
    assert errors["bf16"] < 0.02 and errors["int8"] < 0.04, errors
