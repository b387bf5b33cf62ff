"""Every block of code in the README and the documentation runs, or is at least spelt right."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from leadline.cli.main import leadline
from leadline.settings import Settings

from ..willing_endpoint import willing_endpoint
from .code_blocks import ROOT, CodeBlock, code_blocks, pages

REASONS = frozenset(
    [
        "installs",
        "needs evaluation data",
        "needs a model",
        "needs a notebook",
        "needs a server",
        "needs a terminal",
        "needs the web",
        "needs WideSearch's data",
        "takes minutes",
    ]
)
WAL = """\
# Write-ahead logging

In WAL mode readers do not block writers, and a writer does not block readers. A checkpoint is run
when the log reaches 1000 pages.

| Mode | Readers |
|---|---|
| WAL | go on |
| DELETE | wait |
"""
"""What the guides call ``./docs``."""
RUN = ("sh", "python")
SHOWN = ("text", "toml", "json")
_OF_LEADLINE = re.compile(r"(?:^|[|;&]\s*|\$\()leadline (?!-)")

with_blocks = pytest.mark.parametrize(
    "page", [page for page in pages() if code_blocks(page)], ids=lambda page: page.name
)


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """``leadline`` and ``python`` of this environment, over a model that answers everything."""
    home = tmp_path / "home"
    with willing_endpoint() as url:
        yield {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(home),
            "LEADLINE_HOME": str(home / "leadline"),
            "LEADLINE_ENDPOINT": url,
            "LEADLINE_MODEL": "willing",
            "LEADLINE_READER": "none",
            "LEADLINE_EMBEDDER": "none",
            # Nothing asks the live web, where there is one.
            "LEADLINE_SEARCH_BACKENDS": '["searxng"]',
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "100",
        }


@with_blocks
def test_the_blocks_of_a_page_run_one_after_the_other(
    page: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    if page.name == "README.md":
        shutil.copytree(ROOT / "docs", folder / "docs")
    else:
        (folder / "docs").mkdir()
        (folder / "docs" / "wal.md").write_text(WAL)
    for block in code_blocks(page):
        if block.language not in RUN or block.not_run:
            continue
        shell = ["bash", "-euo", "pipefail", "-c", block.code]
        command = shell if block.language == "sh" else [sys.executable, "-c", block.code]
        done = subprocess.run(
            command,
            check=False,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"{_where(block)}\n{done.stdout}\n{done.stderr}"


@with_blocks
def test_what_is_not_run_has_a_reason_and_names_real_options(page: Path) -> None:
    for block in code_blocks(page):
        assert block.language in (*RUN, *SHOWN), _where(block)
        assert not block.not_run or block.not_run in REASONS, _where(block)
        if block.language == "toml":
            assert tomllib.loads(block.code).keys() <= Settings.model_fields.keys(), _where(block)
        elif block.language == "json":
            json.loads(block.code)
        elif block.language == "sh":
            for line in _lines(block.code):
                if _OF_LEADLINE.search(line):
                    _check(line, block)


def test_most_blocks_are_run() -> None:
    blocks = [block for page in pages() for block in code_blocks(page) if block.language in RUN]
    assert len(blocks) > 20
    assert sum(bool(block.not_run) for block in blocks) < len(blocks) / 2


def _lines(code: str) -> list[str]:
    """Commands, without what a here-document holds."""
    code = re.sub(r"<<'END'.*?^END$", "", code, flags=re.MULTILINE | re.DOTALL)
    return [line for line in code.replace("\\\n", " ").splitlines() if line.strip()]


def _check(line: str, block: CodeBlock) -> None:
    """The command of Leadline in ``line`` is one that there is, with options that there are."""
    words = shlex.split(line, comments=True)
    if "|" in words and words[0] != "leadline":
        words = words[words.index("|") + 1 :]
    arguments = [word for word in words[1:] if word not in ("|", "&&")]
    with click.Context(leadline, info_name="leadline") as context:
        command: click.Command = leadline
        while isinstance(command, click.Group):
            name = arguments[0] if arguments else ""
            found = command.get_command(context, name)
            if found is None and command is leadline:
                found = leadline.get_command(context, "ask")
            elif found is not None:
                arguments = arguments[1:]
            if found is None:
                break
            command = found
        assert not isinstance(command, click.Group) or not arguments, f"{_where(block)}: {line}"
        known = {option for each in command.params for option in each.opts} | {"--help"}
        used = {word.partition("=")[0] for word in arguments if re.match(r"--?[a-z]", word)}
        assert used <= known, f"{_where(block)}: {line}"


def _where(block: CodeBlock) -> str:
    return f"{block.page.relative_to(ROOT)}:{block.line}"
