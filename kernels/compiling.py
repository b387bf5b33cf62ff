"""Compiling the C++ kernels on first use, and finding them again.

The library lies in the cache under a name made of its source, its compiler and its flags. It holds
code for every instruction set and chooses among it when it runs, so that a home folder may be
shared by different processors of one architecture.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from importlib import resources
from pathlib import Path

from ..errors import ReadingError
from ..locations import locations, make_private
from ..storage import storage_errors

SOURCE = "leadline_kernels.cpp"
LIBRARY = "leadline_kernels.so"
"""In the folder ``lib`` of a package that was built with ``make wheel``."""

FLAGS = (
    "-std=c++17",
    "-O3",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-exceptions",
    "-fno-rtti",
    "-fvisibility=hidden",
    "-fPIC",
    "-shared",
)

_COMPILERS = ("c++", "g++", "clang++")
_SECONDS = 300
"""Longer than any compiler that still works takes."""


def source_path() -> Path:
    """The C++ file, which is a part of the package."""
    return Path(str(resources.files(__package__) / "csrc" / SOURCE))


def prebuilt_library() -> Path | None:
    """The library that came with the package, where the package was built with one."""
    path = Path(str(resources.files(__package__) / "lib" / LIBRARY))
    return path if path.is_file() else None


def find_compiler() -> str | None:
    """The C++ compiler: what ``CXX`` names, else the system's."""
    named = os.environ.get("CXX", "").strip()
    for name in (named,) if named else _COMPILERS:
        if path := shutil.which(name):
            return path
    return None


def compiled_library() -> Path:
    """The compiled kernels; takes seconds the first time.

    Two processes may compile at once: each moves a whole library into place, and both are equal.

    Raises:
        ReadingError: there is no compiler, or it refused.
        StorageError: the disk refused.
    """
    compiler = find_compiler()
    if compiler is None:
        raise ReadingError(
            "there is no C++ compiler to make the kernels with",
            remedy="install one (g++ or clang++), or set CXX",
        )
    path = make_private(locations().cache / "kernels") / f"{_key(compiler)}.so"
    if not path.is_file():
        compile_library(compiler, path)
    return path


def _key(compiler: str) -> str:
    version = _run([compiler, "--version"]).stdout
    parts = (source_path().read_bytes(), version.encode(), " ".join(FLAGS).encode())
    digest = hashlib.sha256(b"\0".join(parts)).hexdigest()
    return f"leadline-{platform.machine()}-{digest[:20]}"


def compile_library(compiler: str, path: Path) -> None:
    """Compile the kernels into ``path``, which is there whole or not at all.

    Raises:
        ReadingError: the compiler refused.
        StorageError: the disk refused.
    """
    with storage_errors(path):
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".so")
        os.close(descriptor)
        try:
            compiled = _run([compiler, *FLAGS, "-w", "-o", name, str(source_path()), "-lm"])
            if compiled.returncode:
                lines = [line for line in compiled.stderr.splitlines() if "error" in line]
                raise ReadingError(
                    f"{compiler} cannot compile the kernels ({(lines or ['no message'])[0]})",
                    remedy="set CXX to a newer compiler",
                )
            os.chmod(name, 0o755)
            os.replace(name, path)
        finally:
            Path(name).unlink(missing_ok=True)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ReadingError(f"{command[0]} cannot be run ({error})") from error
