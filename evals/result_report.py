"""All results in a folder as one HTML page that works from a file: no script, nothing from outside.

A policy in the page forbids both. What stands in the results is text from strangers.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

from ..errors import ConfigError, InputError
from ..safe_text import safe_line
from .comparison import Difference, differences
from .figures import figure, interval
from .result import EvaluationResult, read_result
from .result_charts import charts

_SETTINGS_CHARACTERS = 2000
_DIGEST_CHARACTERS = 12

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --ink: #1c1b19; --quiet: #5f5c55; --line: #dedbd3; --link: #0b57b0;
  --bar: #6b93c7;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181c; --ink: #e9e7e2; --quiet: #a9a69f; --line: #34373d; --link: #7db8ff;
    --bar: #40679b;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", sans-serif;
}
h1 { font-size: 1.6rem; line-height: 1.3; margin: 0 0 1rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 1.75rem 0 .5rem; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 0 1rem;
  color: var(--quiet); font-size: .875rem; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
code { font: .9em ui-monospace, monospace; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .875rem; margin: .5rem 0 1rem; }
th, td { border-bottom: 1px solid var(--line); padding: .25em .75em .25em 0; text-align: left; }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.note { color: var(--quiet); font-size: .875rem; }
figure { margin: 1rem 0; }
figcaption { font-size: .875rem; font-weight: 600; }
svg { display: block; width: 100%; max-width: 48rem; height: auto; font-size: 12px; }
svg text { fill: var(--ink); }
svg .tick { fill: var(--quiet); font-size: 10px; }
svg .grid { stroke: var(--line); }
svg .bar { fill: var(--bar); }
svg .whisker { stroke: var(--ink); stroke-width: 1.5; fill: none; }
@media print {
  :root { --paper: #fff; --ink: #000; --quiet: #444; --link: #000; --line: #bbb; }
  body { max-width: none; padding: 0; font-size: 10pt; }
  tr, figure { break-inside: avoid; }
  .table { overflow: visible; }
}
"""


def read_results(folder: Path) -> tuple[list[EvaluationResult], list[str]]:
    """The results in ``folder``, oldest first, and what of its JSON files holds none.

    Raises:
        InputError: there is no result there.
    """
    found, problems = [], []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append(read_result(path))
        except ConfigError as error:
            problems.append(str(error))
    if not found:
        raise InputError(
            "; ".join([f"{folder} holds no result of an evaluation", *problems[:1]]),
            remedy="measure something first: leadline eval run NAME",
        )
    return sorted(found, key=lambda result: str(result.started_at or "")), problems


def results_html(results: Sequence[EvaluationResult]) -> str:
    """The page: a section for each evaluation with its results, and how they differ."""
    by_name: dict[str, list[EvaluationResult]] = defaultdict(list)
    for result in results:
        by_name[result.name].append(result)
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    contents = "".join(
        f'<li><a href="#evaluation-{place}">{_text(name)}</a></li>'
        for place, name in enumerate(by_name)
    )
    sections = "".join(
        f'<section aria-labelledby="evaluation-{place}">\n'
        f'<h2 id="evaluation-{place}">{_text(name)}</h2>\n{_section(found)}</section>\n'
        for place, (name, found) in enumerate(by_name.items())
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>Evaluations</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>Evaluations</h1>\n<ul>{contents}</ul>\n</header>\n"
        f"<main>\n{sections}</main>\n</body>\n</html>\n"
    )


def _section(results: Sequence[EvaluationResult]) -> str:
    """The results of one evaluation, the newest first."""
    numbers = {id(result): place for place, result in enumerate(results, start=1)}
    parts = [_comparisons(results, numbers)] if len(results) > 1 else []
    for result in reversed(results):
        title = f"Result {numbers[id(result)]}" if len(results) > 1 else "Result"
        parts.append(f"<h3>{title}</h3>\n{_facts(result)}{_rows(result)}")
        parts += [
            f"<figure><figcaption>{_text(metric)}</figcaption>{drawing}</figure>\n"
            for metric, drawing in charts(result.rows)
        ]
    return "".join(parts)


def _facts(result: EvaluationResult) -> str:
    build = " ".join(filter(None, (result.leadline.version, result.leadline.commit)))
    began = _moment(result.started_at)
    settings = json.dumps(dict(result.settings), ensure_ascii=False)
    facts = {
        "measured": f"{began}, {figure(result.seconds, short=True)} s".removeprefix(", "),
        "Leadline": build,
        "model": result.model,
        "reader": result.reader,
        "data": f"{result.data.path}, {result.data.n} in all, SHA-256 {result.data.digest}",
        "settings": safe_line(settings, _SETTINGS_CHARACTERS),
        "machine": ", ".join(f"{name} {value}" for name, value in result.machine.items()),
    }
    told = "".join(
        f"<dt>{name}</dt><dd>{_text(value)}</dd>\n" for name, value in facts.items() if value
    )
    return f"<dl>\n{told}</dl>\n"


def _rows(result: EvaluationResult) -> str:
    lines = (
        (
            row.set,
            row.method,
            row.model,
            row.metric,
            figure(row.value),
            interval(row.low, row.high),
            str(row.n),
        )
        for row in result.rows
    )
    heads = ("set", "method", "model", "metric", "value", "95 %", "n")
    return _table(heads, ([_text(cell) for cell in line] for line in lines), figures=3)


def _comparisons(results: Sequence[EvaluationResult], numbers: Mapping[int, int]) -> str:
    """Each result beside the one before it on the same data."""
    by_digest: dict[str, list[EvaluationResult]] = defaultdict(list)
    for result in results:
        by_digest[result.data.digest].append(result)
    parts = []
    for digest, found in by_digest.items():
        for first, second in pairwise(found):
            title = f"Result {numbers[id(second)]} beside result {numbers[id(first)]}"
            body = (
                _comparison(first, second)
                if digest
                else _note("Neither says what data it was measured on: they are not comparable.")
            )
            parts.append(f"<h3>{title}</h3>\n{body}")
    if len(by_digest) > 1:
        groups = "; ".join(
            f"{', '.join(str(numbers[id(result)]) for result in found)} on data "
            f"{digest[:_DIGEST_CHARACTERS] or 'unknown'}"
            for digest, found in by_digest.items()
        )
        parts.append(
            _note(f"Results on different data are not comparable with each other: {groups}.")
        )
    return "".join(parts)


def _comparison(first: EvaluationResult, second: EvaluationResult) -> str:
    found = differences(first, second)
    if not found:
        return _note("They have no question in common that can be told from others.") + _table(
            ("set", "method", "metric", "before", "after", "difference"),
            _row_differences(first, second),
            figures=3,
        )
    heads = ("set", "method", "metric", "before", "after", "difference", "95 %", "p", "n")
    how = _note(
        "The questions that both have, in pairs: Newcombe's interval and McNemar's exact test for "
        "hits and misses, the paired bootstrap for the rest, and no correction for many comparisons. "
        "Bold where the interval leaves out zero."
    )
    return how + _table(heads, map(_difference_cells, found), figures=6)


def _difference_cells(found: Difference) -> list[str]:
    shown = figure(found.difference, signed=True)
    if found.is_clear:
        shown = f"<strong>{shown}</strong>"
    return [
        _text(found.set),
        _text(found.method),
        _text(found.metric),
        figure(found.first),
        figure(found.second),
        shown,
        interval(found.low, found.high),
        "" if found.p is None else f"{found.p:.3g}",
        str(found.n),
    ]


def _row_differences(first: EvaluationResult, second: EvaluationResult) -> Iterable[list[str]]:
    before = {(row.set, row.method, row.metric): row.value for row in first.rows}
    for row in second.rows:
        key = row.set, row.method, row.metric
        if key in before:
            names = [_text(name) for name in key]
            values = before[key], row.value, row.value - before[key]
            yield [*names, *map(figure, values)]


def _table(heads: Sequence[str], lines: Iterable[Sequence[str]], *, figures: int) -> str:
    """``lines`` are cells of HTML; the last ``figures`` of each are numbers."""
    names = len(heads) - figures

    def line(cells: Sequence[str], tag: str) -> str:
        marks = ("" if n < names else ' class="figure"' for n in range(len(cells)))
        return "".join(
            f"<{tag}{mark}>{cell}</{tag}>" for cell, mark in zip(cells, marks, strict=True)
        )

    body = "".join(f"<tr>{line(cells, 'td')}</tr>\n" for cells in lines)
    head = f"<thead><tr>{line(heads, 'th')}</tr></thead>"
    return f'<div class="table"><table>{head}\n<tbody>{body}</tbody></table></div>\n'


def _note(text: str) -> str:
    return f'<p class="note">{_text(text)}</p>\n'


def _text(text: str) -> str:
    return escape(safe_line(text))


def _moment(moment: object) -> str:
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"
