"""Tasks from the manuals of programmes, with the gold from the programmes themselves.

SQLite's documentation gives the list of its pragmas; PostgreSQL's the configuration parameters of
its chapters; CMake's its policies. What PostgreSQL and CMake say of themselves lies in a text file
in the manual's folder.
"""

from __future__ import annotations

import random
import re
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ..errors import ConfigError
from .data_files import read_data_text
from .table_tasks import TableTask

DESCRIBED_CONFIG = "describe-config.txt"
"""What ``postgres --describe-config`` prints."""
HELP_POLICIES = "help-policies.txt"
"""What ``cmake --help-policies`` prints."""

_CHAPTERS = {
    "Autovacuum": "runtime-config-autovacuum.html",
    "Connections and Authentication": "runtime-config-connection.html",
    "Error Handling": "runtime-config-error-handling.html",
    "Lock Management": "runtime-config-locks.html",
    "Query Tuning": "runtime-config-query.html",
    "Resource Usage": "runtime-config-resource.html",
    "Statistics": "runtime-config-statistics.html",
    "Version and Platform Compatibility": "runtime-config-compatible.html",
}
"""Pages by the name of their group. In the other chapters the server hides some parameters, or has
others of a distribution."""
_TYPES = {
    "BOOLEAN": "boolean",
    "ENUM": "enum",
    "INTEGER": "integer",
    "REAL": "floating point",
    "STRING": "string",
}
_CHAPTERS_A_TASK = 3
_PARAMETER = ("Parameter", "Type")
_TYPE_IS = f"Type is one of {', '.join(sorted(_TYPES.values()))}."

_POLICIES_PAGE = Path("manual", "cmake-policies.7.html")
_INTRODUCED = re.compile(r"^Policies Introduced by CMake ([\d.]+)\n=+$", re.MULTILINE)
_POLICY = re.compile(r"^(CMP\d{4})\n-+$", re.MULTILINE)
_WARNS = re.compile(r"warns when (?:the|this) policy is not set")
_WARNS_NOT = re.compile(r"does (\*?)not\1 warn (?:by default )?when (?:the|this) policy is not set")
_PAGES = range(5, 21)
"""Pages that a task about policies may need."""


@dataclass(frozen=True, slots=True)
class _Policy:
    name: str
    version: str
    warns: bool | None
    """Whether CMake does where the policy is not set; None where that is not plain."""


def manual_tasks(folder: Path) -> list[TableTask] | None:
    """The tasks of the manual in ``folder``; None if it is none of those known.

    Raises:
        ConfigError: what the programme says of itself is missing.
    """
    for mark, tasks in _MANUALS.items():
        if (folder / mark).is_file():
            return tasks(folder)
    return None


def manual_distractors(folder: Path, count: int, *, seed: int = 0) -> list[Path]:
    """``count`` pages of the manual by chance."""
    pages = sorted(folder.rglob("*.html"))
    return random.Random(seed).sample(pages, min(count, len(pages)))


def pragma_task(documentation: Path) -> TableTask:
    """The task of listing SQLite's pragmas; the gold is what this SQLite says of itself.

    Raises:
        ConfigError: the folder has no ``pragma.html``.
    """
    page = documentation / "pragma.html"
    if not page.is_file():
        raise ConfigError(f"{documentation} has no pragma.html", remedy="give SQLite's docs")
    with sqlite3.connect(":memory:") as connection:
        found = connection.execute("SELECT name FROM pragma_pragma_list ORDER BY name").fetchall()
    return TableTask(
        instance_id="pragmas",
        set="pragmas",
        query="List all PRAGMA statements that SQLite has, by name. Column names: Pragma",
        columns=("Pragma",),
        keys=("Pragma",),
        rows=tuple((str(name),) for (name,) in found),
        pages=(page,),
    )


def parameter_tasks(documentation: Path) -> list[TableTask]:
    """PostgreSQL's parameters, of one chapter each and of several chapters together.

    Raises:
        ConfigError: the file DESCRIBED_CONFIG is missing, or something else.
    """
    text = _told(documentation / DESCRIBED_CONFIG, "postgres --describe-config")
    chapters: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for line in text.splitlines():
        if line.count("\t") >= 3:
            name, _, group, type_ = line.split("\t")[:4]
            chapters[group.partition(" / ")[0]].append((name, _TYPES.get(type_, type_)))
    found = [name for name in _CHAPTERS if chapters.get(name)]
    if not found:
        raise ConfigError(
            f"{documentation / DESCRIBED_CONFIG} names no parameter",
            remedy="write into it what `postgres --describe-config` prints",
        )
    several = [
        found[n : n + _CHAPTERS_A_TASK]
        for n in range(0, len(found) - _CHAPTERS_A_TASK + 1, _CHAPTERS_A_TASK)
    ]
    return [
        *(_chapter_task(documentation, name, chapters[name]) for name in found),
        *(_chapters_task(documentation, n, names, chapters) for n, names in enumerate(several, 1)),
    ]


def policy_tasks(documentation: Path) -> list[TableTask]:
    """All of CMake's policies from one page, and of some versions what their own pages say.

    Raises:
        ConfigError: the file HELP_POLICIES is missing, or something else.
    """
    text = _told(documentation / HELP_POLICIES, "cmake --help-policies")
    policies = list(_policies(text))
    if not policies:
        raise ConfigError(
            f"{documentation / HELP_POLICIES} names no policy",
            remedy="write into it what `cmake --help-policies` prints",
        )
    columns = ("Policy", "Version")
    listing = TableTask(
        instance_id="cmake-policies",
        set="single-page",
        query=(
            "List all policies of CMake with the version of CMake that introduced them. Policy is "
            f"its identifier, such as CMP0001. Column names: {', '.join(columns)}"
        ),
        columns=columns,
        keys=columns[:1],
        rows=tuple((policy.name, policy.version) for policy in policies),
        pages=(documentation / _POLICIES_PAGE,),
    )
    tasks = [listing]
    for version, group in groupby(policies, key=lambda policy: policy.version):
        if task := _version_task(documentation, version, list(group)):
            tasks.append(task)
    return tasks


def _chapter_task(
    documentation: Path, chapter: str, parameters: list[tuple[str, str]]
) -> TableTask:
    page = documentation / _CHAPTERS[chapter]
    return TableTask(
        instance_id=f"postgres-{page.stem.removeprefix('runtime-config-')}",
        set="single-page",
        query=(
            f"List all configuration parameters of PostgreSQL in the chapter “{_title(page)}” of "
            f"its manual. {_TYPE_IS} Column names: {', '.join(_PARAMETER)}"
        ),
        columns=_PARAMETER,
        keys=_PARAMETER[:1],
        rows=tuple(parameters),
        pages=(page,),
    )


def _chapters_task(
    documentation: Path,
    number: int,
    names: list[str],
    chapters: Mapping[str, list[tuple[str, str]]],
) -> TableTask:
    pages = {name: documentation / _CHAPTERS[name] for name in names}
    titles = {name: _title(page) for name, page in pages.items()}
    columns = ("Chapter", *_PARAMETER)
    return TableTask(
        instance_id=f"postgres-many-{number}",
        set="many-page",
        query=(
            "Put the configuration parameters of PostgreSQL that these chapters of its manual "
            f"describe into one table: {'; '.join(titles.values())}. Chapter is the name of the "
            f"chapter as given here. {_TYPE_IS} Column names: {', '.join(columns)}"
        ),
        columns=columns,
        keys=columns[:2],
        rows=tuple((titles[name], *row) for name in names for row in chapters[name]),
        pages=tuple(pages.values()),
    )


def _version_task(documentation: Path, version: str, policies: list[_Policy]) -> TableTask | None:
    """None where there are too few or too many, or it is not plain of each what CMake does."""
    if len(policies) not in _PAGES or any(policy.warns is None for policy in policies):
        return None
    columns = ("Policy", "Warns")
    pages = (documentation / "policy" / f"{policy.name}.html" for policy in policies)
    return TableTask(
        instance_id=f"cmake-{version}",
        set="many-page",
        query=(
            f"For each policy that CMake {version} introduced, does CMake warn by default when the "
            "policy is not set? Policy is its identifier, such as CMP0001; Warns is yes or no. "
            f"Column names: {', '.join(columns)}"
        ),
        columns=columns,
        keys=columns[:1],
        rows=tuple((policy.name, "yes" if policy.warns else "no") for policy in policies),
        pages=(documentation / _POLICIES_PAGE, *pages),
    )


def _policies(text: str) -> Iterator[_Policy]:
    _, *groups = _INTRODUCED.split(text)
    for version, group in zip(groups[::2], groups[1::2], strict=True):
        _, *parts = _POLICY.split(group)
        for name, part in zip(parts[::2], parts[1::2], strict=True):
            words = " ".join(part.split())
            does, does_not = bool(_WARNS.search(words)), bool(_WARNS_NOT.search(words))
            yield _Policy(name, version, does if does != does_not else None)


def _told(path: Path, command: str) -> str:
    if not path.is_file():
        raise ConfigError(
            f"{path.parent} has no {path.name}", remedy=f"run `{command} > {path}` first"
        )
    return read_data_text(path)


def _title(page: Path) -> str:
    """The page's title without the number of the chapter."""
    found = re.search(r"<title>\s*(?:[\d.]+\s+)?(.*?)\s*</title>", read_data_text(page), re.DOTALL)
    return found[1] if found else page.stem


_MANUALS: Mapping[str | Path, Callable[[Path], list[TableTask]]] = {
    "pragma.html": lambda folder: [pragma_task(folder)],
    "runtime-config.html": parameter_tasks,
    _POLICIES_PAGE: policy_tasks,
}
