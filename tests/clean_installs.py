"""Installs what `make dist` built into clean environments, and tries what each is to bring.

    python tests/clean_installs.py [NAME ...]

The source distribution, the wheel, the wheel with each extra by itself, and the wheel as uvx and
pipx run it. It needs `uv` and `pipx`; uv's cache makes every environment after the first cheap.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
CONSTRAINTS = str(ROOT / "constraints.txt")
PROMISED = {
    "api": "import uvicorn, starlette.applications, leadline.integrations.openai_api",
    "gpu": "import triton, leadline.kernels.triton_programs",
    "langchain": "import langchain_core.tools, leadline.integrations.langchain",
    "mcp": "import mcp.server.mcpserver, leadline.integrations.mcp_server,"
    " leadline.tools.search.mcp_transports",
    "otel": "from leadline.integrations.opentelemetry import RunTracer; RunTracer()",
    "pandas": "import pandas",
    "pdf": "import fpdf; fpdf.FPDF().output()",
    "plot": "from pathlib import Path; from leadline.evals.bench_plot import draw;"
    " draw([], Path('plot.png'), title='none')",
    "png": "from leadline.cli.heatmap_png import require_pillow as r; r()",
    "postgres": "import psycopg, langgraph.checkpoint.postgres.aio",
    "ray": "import ray, leadline.evals.ray_batch",
    "render": "from playwright.async_api import async_playwright",
    "serve": "import textual_serve, leadline.tui.web_server",
    "widesearch": "from leadline.evals.widesearch.official_tables import require_pandas as r; r()",
    "xlsx": "from openpyxl import Workbook; Workbook()",
}
"""What has to run with each extra."""

NEED_AN_EXTRA = (
    "leadline.kernels.triton_programs",
    "leadline.kernels.triton_tier",
    "leadline.tools.search.mcp_transports",
    "leadline.tui.web_server",
)
"""Modules that import what an extra brings; they are imported where it is known to be there."""

EVERY_MODULE = f"""
import importlib, pkgutil
for module in pkgutil.walk_packages(leadline.__path__, "leadline."):
    if module.name not in {NEED_AN_EXTRA}:
        importlib.import_module(module.name)
"""
UNAVAILABLE = 3
"""What `leadline doctor` ends with where no model has been pulled."""

Command = tuple[list[str], tuple[int, ...]]
"""What is run, and the exit codes that are right."""


def main(chosen: list[str]) -> int:
    if missing := [tool for tool in ("uv", "uvx", "pipx") if shutil.which(tool) is None]:
        print(f"not installed: {', '.join(missing)}: pip install uv pipx", file=sys.stderr)
        return 2
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if untried := set(extras["optional-dependencies"]) ^ set(PROMISED):
        print(f"nothing, or too much, is tried of: {sorted(untried)}", file=sys.stderr)
        return 2
    failed = []
    for name, commands in _trials():
        if chosen and name not in chosen:
            continue
        begun = time.monotonic()
        problem = _problem(commands)
        print(f"{name:12}{time.monotonic() - begun:7.1f} s  {problem or 'works'}", flush=True)
        if problem:
            failed.append(name)
    return 1 if failed else 0


def _trials() -> Iterator[tuple[str, list[Command]]]:
    """Each by its name. The commands run in an empty folder, one after the other."""
    [wheel] = map(str, (ROOT / "dist").glob("*.whl"))
    [sdist] = map(str, (ROOT / "dist").glob("*.tar.gz"))
    yield "sdist", _environment(sdist, "pass")
    yield "wheel", _environment(wheel, EVERY_MODULE)
    for extra, program in PROMISED.items():
        yield extra, _environment(f"{wheel}[{extra}]", program)
    yield "uvx", _launched(["uvx", "--from", wheel, "leadline"])
    # without --no-cache it runs what it installed from an earlier wheel of the same name
    yield "pipx", _launched(["pipx", "run", "--no-cache", "--spec", wheel, "leadline"])


def _environment(requirement: str, program: str) -> list[Command]:
    python, leadline = "env/bin/python", "env/bin/leadline"
    return [
        (["uv", "venv", "-q", "--python", sys.executable, "env"], (0,)),
        (["uv", "pip", "install", "-q", "--python", python, requirement], (0,)),
        (["uv", "pip", "check", "-q", "--python", python], (0,)),
        ([python, "-m", "leadline", "--version"], (0,)),
        *_launched([leadline]),
        ([python, "-c", f"import leadline; {program}"], (0,)),
    ]


def _launched(leadline: list[str]) -> list[Command]:
    return [([*leadline, "--version"], (0,)), ([*leadline, "doctor"], (UNAVAILABLE,))]


def _problem(commands: list[Command]) -> str:
    """What went wrong; empty if nothing did."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
            "LEADLINE_HOME": f"{folder}/home",
            "PIPX_HOME": f"{folder}/pipx",
            "PIP_CONSTRAINT": CONSTRAINTS,
            "UV_CONSTRAINT": CONSTRAINTS,
        }
        for command, expected in commands:
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode not in expected:
                ended = f"FAILED with {done.returncode}: {' '.join(command)}"
                return f"{ended}\n{done.stdout}{done.stderr}"
    return ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
