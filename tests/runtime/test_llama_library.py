from __future__ import annotations

import os
import subprocess
import sys

from leadline.runtime.llama_library import usable_cores

# a process of its own: the variable is read once, and the library is loaded once
LOAD = """
import os, sys
import leadline.runtime.llama_engine
assert "llama_cpp" not in sys.modules, "loaded before it is used"
from leadline.runtime.llama_library import last_error, library
c = library()
assert library() is c
assert "OMP_WAIT_POLICY" not in os.environ
print(c.llama_supports_mmap(), repr(last_error()))
"""


def test_loading_the_library_prints_nothing_and_leaves_the_environment() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    run = subprocess.run(
        [sys.executable, "-c", LOAD], capture_output=True, text=True, check=True, env=environment
    )
    assert run.stdout == "True ''\n"
    assert run.stderr == ""


def test_there_is_a_core_and_no_more_than_there_are() -> None:
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
