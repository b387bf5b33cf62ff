"""Tasks in WideSearch's form: a query, its gold table, and real pages that answer it."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from ..storage import write_atomically
from .data_files import DataRecord, read_data_file, read_json
from .widesearch.tasks import GOLD_FOLDER, TASKS_FILE, norm_column

PAGES_FOLDER = "pages"
_NUMBER = re.compile(r"[-+]?\d[\d,]*(?:\.\d+)?")
_TEXT_RULE = {"preprocess": ["norm_str"], "metric": ["exact_match"]}
_NUMBER_RULE = {"preprocess": ["extract_number"], "metric": ["number_near"], "criterion": 0.0}


@dataclass(frozen=True, slots=True)
class TableTask:
    """A query, its gold table, and the pages that answer it."""

    instance_id: str
    set: str
    """``single-page``, ``many-page`` or ``pragmas``."""
    query: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    pages: tuple[Path, ...]

    @property
    def gold_csv(self) -> str:
        text = io.StringIO(newline="")
        csv.writer(text).writerows([self.columns, *self.rows])
        return text.getvalue()

    @property
    def record(self) -> dict[str, object]:
        """The task as a line of WideSearch's file."""
        required = [norm_column(name) for name in self.columns]
        numeric = dict(zip(required, _numeric_columns(self.rows), strict=True))
        evaluation = {
            "unique_columns": [norm_column(name) for name in self.keys],
            "required": required,
            "eval_pipeline": {
                name: _NUMBER_RULE if numeric[name] else _TEXT_RULE for name in required
            },
        }
        return {
            "instance_id": self.instance_id,
            "query": self.query,
            "evaluation": json.dumps(evaluation),
            "language": "en",
        }


class PageRecord(DataRecord):
    """What lies beside a page of wikitables."""

    title: str


def write_tasks(
    tasks: Sequence[TableTask], folder: Path, *, distractors: Sequence[Path] = ()
) -> Path:
    """Write tasks, gold tables and pages to ``folder``, laid out as WideSearch; returns it.

    ``distractors`` are further pages, which a search must tell from the right ones.

    Raises:
        StorageError: the disk refused.
    """
    lines = [json.dumps(task.record, ensure_ascii=False) for task in tasks]
    write_atomically(folder / TASKS_FILE, "\n".join(lines) + "\n")
    for task in tasks:
        write_atomically(folder / GOLD_FOLDER / f"{task.instance_id}.csv", task.gold_csv)
    pages = {page for task in tasks for page in task.pages} | set(distractors)
    for page in sorted(pages):
        target = folder / PAGES_FOLDER / f"{page.parent.name}-{page.name}"
        write_atomically(target, _titled(page))
    return folder


def _titled(page: Path) -> bytes:
    """The page with its title, which wikitables keeps beside it: it has the article's body alone."""
    body = read_data_file(page)
    sidecar = page.with_suffix(".json")
    if not sidecar.is_file():
        return body
    title = html.escape(read_json(sidecar, TypeAdapter(PageRecord)).title)
    head = f'<html><head><meta charset="utf-8"><title>{title}</title></head><body><h1>{title}</h1>'
    return head.encode() + body + b"</body></html>"


def _numeric_columns(rows: Sequence[Sequence[str]]) -> list[bool]:
    return [
        all(_NUMBER.fullmatch(cell.strip()) for cell in column)
        for column in zip(*rows, strict=True)
    ]
