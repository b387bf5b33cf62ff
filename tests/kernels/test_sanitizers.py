"""The C++ file under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from leadline.kernels.compiling import find_compiler, source_path


def test_no_kernel_steps_outside_its_memory(tmp_path: Path) -> None:
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("there is no C++ compiler")
    program = tmp_path / "driver"
    driver = Path(__file__).with_name("sanitized_driver.cpp")
    sanitize = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    flags = ["-std=c++17", "-O1", "-ffp-contract=off", "-w", "-pthread", *sanitize]
    compiled = subprocess.run(
        [compiler, *flags, "-I", str(source_path().parent), "-o", str(program), str(driver)],
        check=False,
        capture_output=True,
        text=True,
    )
    if compiled.returncode and "asan" in compiled.stderr:
        pytest.skip(f"{compiler} has no sanitizers")
    assert compiled.returncode == 0, compiled.stderr
    ran = subprocess.run([program], check=False, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 200
