"""What machine and what data a figure was measured on."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Sequence
from pathlib import Path


def describe_machine() -> dict[str, str | int]:
    """Processor, cores that may be used, memory in GiB, Python."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0,
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def digest_of_folder(folder: Path) -> str:
    """SHA-256 over the relative paths and contents of all files under ``folder``, in order."""
    total = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        total.update(os.fsencode(path.relative_to(folder)) + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def digest_of_files(paths: Sequence[Path]) -> str:
    """SHA-256 over the names, their folders' names, and the contents of files, in order."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(os.fsencode(f"{path.parent.name}/{path.name}") + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def digest_of_folders(folders: Sequence[Path]) -> str:
    """That of the only folder, or SHA-256 over the names and digests of several."""
    if len(folders) == 1:
        return digest_of_folder(folders[0])
    total = hashlib.sha256()
    for folder in folders:
        total.update(os.fsencode(folder.name) + b"\0" + digest_of_folder(folder).encode())
    return total.hexdigest()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        return platform.processor()
    return platform.processor()
