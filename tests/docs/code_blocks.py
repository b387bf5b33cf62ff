"""The fenced blocks of a page, and whether they are to be run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

_BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^>]+) -->\n)?^```(?P<language>\w+)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A block and where it stands."""

    page: Path
    line: int
    language: str
    code: str
    not_run: str
    """Why it is not run; empty if it is."""


def pages() -> list[Path]:
    """The README and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def code_blocks(page: Path) -> list[CodeBlock]:
    """The blocks of ``page`` in order."""
    text = page.read_text()
    return [
        CodeBlock(
            page=page,
            line=text.count("\n", 0, match.start("code")),
            language=match["language"],
            code=match["code"],
            not_run=match["reason"] or "",
        )
        for match in _BLOCK.finditer(text)
    ]
