"""A head map as one HTML page: the text, each word shaded by what the chosen head looked at.

The page works from a file and without a network: no script, nothing from outside, and a policy
that forbids both. Heads are chosen by radio buttons; each word carries one number for each head.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from ..evidence import Evidence, Page
from ..runtime.heatmap import HeadMap, PassageMap, Stretch
from ..runtime.heatmap_view import Strengths, evidence_at, row_name, sentences_of, words_of
from ..safe_text import safe_line, safe_text
from .highlight import address

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --ink: #1c1b19; --quiet: #66635c; --line: #dedbd3; --track: #efede6;
  --heat: 255 165 0; --most: .95; --mark: #0b62c4;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181c; --ink: #e9e7e2; --quiet: #a19e97; --line: #34373d; --track: #23262b;
    --heat: 226 108 0; --most: .65; --mark: #6cb0ff;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 60rem; padding: 1.5rem 1.25rem 4rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.65 system-ui, -apple-system, "Segoe UI", sans-serif;
}
h1 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 .25rem; }
h2 { font-size: 1rem; margin: 2rem 0 .5rem; padding-top: .75rem; border-top: 1px solid var(--line); }
main h2:first-child { border-top: 0; margin-top: 0; padding-top: 0; }
h2 small { display: block; font-weight: normal; color: var(--quiet); overflow-wrap: anywhere; }
p.about { margin: 0 0 1rem; color: var(--quiet); font-size: .875rem; }
input { position: absolute; opacity: 0; pointer-events: none; }
nav {
  position: sticky; top: 0; z-index: 1; max-height: 45vh; overflow-y: auto;
  background: var(--paper); border-bottom: 1px solid var(--line); padding: .5rem 0 .75rem;
  margin-bottom: 1rem; font-size: .8125rem; line-height: 1.35;
}
nav label, nav .scale {
  display: grid; grid-template-columns: 9.5rem 1fr; align-items: center; gap: .5rem;
  padding: .1rem .4rem; border-radius: .3rem;
}
nav label { cursor: pointer; }
nav label:hover { background: var(--track); }
.strip { display: flex; height: 1rem; background: var(--track); border-radius: .15rem; overflow: hidden; }
.strip i { min-width: 0; background: rgb(var(--heat) / calc(var(--s) * var(--most))); }
.scale { color: var(--quiet); margin-top: .35rem; }
.scale .where { display: flex; height: .3rem; }
.scale .where i { min-width: 0; }
.scale .where i.e { background: var(--mark); }
.ramp {
  display: inline-block; width: 6rem; height: .75rem; border-radius: .15rem; vertical-align: middle;
  margin: 0 .4rem;
  background: linear-gradient(to right, var(--track), rgb(var(--heat) / var(--most)));
}
.run { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 1rem; unicode-bidi: isolate; }
.gap { color: var(--quiet); margin: 0 0 1rem; }
.run b {
  font-weight: inherit; border-radius: .15rem;
  background: rgb(var(--heat) / calc(var(--s) * var(--most)));
}
.run mark, .marked {
  background: none; color: inherit;
  text-decoration: underline 2px var(--mark); text-underline-offset: .28em;
  text-decoration-skip-ink: none;
}
.run sup {
  display: inline-block; text-decoration: none; color: var(--mark);
  font-weight: 600; font-size: .7rem; line-height: 1; padding-right: .2rem;
}
"""


def heatmap_html(head_map: HeadMap, evidence: Sequence[Evidence], *, model_id: str) -> str:
    """The page for one question. ``evidence`` is outlined and numbered in its order."""
    rows = [row_name(head) for head in head_map.rows]
    question = escape(safe_line(head_map.question))
    inputs = "".join(
        f'<input type="radio" name="head" id="r{place}"{" checked" if place == 0 else ""}>\n'
        for place in range(len(rows))
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{question}</title>\n<style>{_STYLE}{_row_styles(len(rows))}</style>\n"
        f"</head>\n<body>\n<h1>{question}</h1>\n{_about(head_map, model_id)}"
        f"{inputs}<nav>\n{_strips(head_map, evidence, rows)}</nav>\n"
        f"<main>\n{''.join(_texts(head_map, evidence))}</main>\n</body>\n</html>\n"
    )


def _row_styles(count: int) -> str:
    """Which of a word's numbers counts, and how its row is marked."""
    return "".join(
        f"#r{row}:checked ~ main b {{ --s: var(--s{row}, 0); }}\n"
        f"#r{row}:checked ~ nav label[for=r{row}] {{ background: var(--track); font-weight: 600; }}\n"
        f"#r{row}:focus-visible ~ nav label[for=r{row}] {{ outline: 2px solid var(--mark); }}\n"
        for row in range(count)
    )


def _about(head_map: HeadMap, model_id: str) -> str:
    part = "all of the text" if head_map.whole else "the text around the evidence"
    return (
        f'<p class="about">What {len(head_map.heads)} attention heads of {escape(safe_line(model_id))} '
        f"looked at when the question was asked: {part}, {head_map.read_tokens:,} tokens in one "
        "window. Choose a head to shade the text by it.</p>\n"
    )


def _strips(head_map: HeadMap, evidence: Sequence[Evidence], rows: Sequence[str]) -> str:
    """A row for each head: the whole text at a glance, a cell for each sentence."""
    stretches = sentences_of(head_map)
    strengths = Strengths(stretches)
    cells = [(stretch.end - stretch.start, strengths.of(stretch)) for stretch in stretches]
    lines = []
    for row, name in enumerate(rows):
        strip = "".join(
            f'<i style="flex-grow:{width};--s:{_number(found[row])}"></i>' for width, found in cells
        )
        lines.append(
            f'<label for="r{row}"><span>{escape(name)}</span>'
            f'<span class="strip">{strip}</span></label>\n'
        )
    where = "".join(
        f"<i{' class=e' if evidence_at(evidence, page_id, stretch.start, stretch.end) else ''} "
        f'style="flex-grow:{stretch.end - stretch.start}"></i>'
        for page_id, stretch in _sentences_by_page(head_map)
    )
    return (
        "".join(lines)
        + f'<div class="scale"><span>evidence</span><span class="where">{where}</span></div>\n'
        + '<div class="scale"><span>attention</span><span>none<span class="ramp"></span>'
        "as much as the row’s strongest sentence or word (square-root scale), less what the text "
        'attracts when nothing is asked · <span class="marked">evidence</span></span></div>\n'
    )


def _sentences_by_page(head_map: HeadMap) -> Iterator[tuple[str, Stretch]]:
    for part in head_map.passages:
        for sentence in part.sentences:
            yield part.passage.page.page_id, sentence


def _texts(head_map: HeadMap, evidence: Sequence[Evidence]) -> Iterator[str]:
    strengths = Strengths(words_of(head_map))
    for _, parts in groupby(head_map.passages, key=lambda part: part.passage.page.page_id):
        of_page = list(parts)
        page = of_page[0].passage.page
        yield f"<h2>{escape(safe_line(page.title))}<small>{escape(address(page))}</small></h2>\n"
        end = 0
        for run in _runs(of_page):
            if page.text[end : run[0].passage.start].strip():
                yield '<p class="gap">…</p>\n'
            words = [word for part in run for word in part.words]
            yield f'<div class="run" dir="auto">{_run(page, words, evidence, strengths)}</div>\n'
            end = run[-1].passage.end
        if page.text[end:].strip():
            yield '<p class="gap">…</p>\n'


def _runs(parts: Sequence[PassageMap]) -> list[list[PassageMap]]:
    """Passages of a page together with those that follow them without a gap."""
    runs: list[list[PassageMap]] = []
    for part in parts:
        before = runs[-1][-1].passage if runs else None
        if before and not before.page.text[before.end : part.passage.start].strip():
            runs[-1].append(part)
        else:
            runs.append([part])
    return runs


def _run(
    page: Page, words: Sequence[Stretch], evidence: Sequence[Evidence], strengths: Strengths
) -> str:
    """The text of neighbouring words; a piece of evidence in it is one numbered box."""
    pieces: list[str] = []
    end = words[0].start
    by_evidence = groupby(
        words, key=lambda word: evidence_at(evidence, page.page_id, word.start, word.end)
    )
    for number, group in by_evidence:
        inside: list[str] = []
        between = ""
        for word in group:
            gap = escape(safe_text(page.text[end : word.start]))
            if inside:
                inside.append(gap)
            else:
                between = gap
            inside.append(_word(page.text[word.start : word.end], strengths.of(word)))
            end = word.end
        text = "".join(inside)
        pieces += [between, text if number is None else f"<mark><sup>{number}</sup>{text}</mark>"]
    return "".join(pieces)


def _word(text: str, strengths: Sequence[float]) -> str:
    numbers = ((row, _number(strength)) for row, strength in enumerate(strengths))
    style = ";".join(f"--s{row}:{number}" for row, number in numbers if number != "0")
    shown = escape(safe_text(text))
    return f'<b style="{style}">{shown}</b>' if style else shown


def _number(strength: float) -> str:
    """Two decimals as CSS writes them: "0", ".07", "1"."""
    return f"{strength:.2f}".rstrip("0").rstrip(".").removeprefix("0") or "0"
