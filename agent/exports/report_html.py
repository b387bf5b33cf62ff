"""A report as one HTML page that works from a file: no script, nothing from outside.

A policy in the page forbids both. Every citation leads to the quoted words, shown in their
surroundings; the source's address carries a text fragment (WICG's Scroll To Text Fragment), by
which a browser finds the same words on the page itself.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from html import escape
from urllib.parse import quote, urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict

from ...evidence import Citation, Page
from ...safe_text import safe_line, safe_text
from ..tables.rendering import html_table
from .report_document import ReportDocument, facts, is_chinese

FindPage = Callable[[str], Page | None]
"""The page of an id, or None if it is no longer kept."""

_SURROUNDINGS = 240
"""Characters of the page on each side of a quote."""
_WHOLE_QUOTE = 120
"""Longer quotes are named by their first and last words in an address."""

_STYLE = """
:root {
  color-scheme: light dark;
  --paper: #fdfdfb; --ink: #1c1b19; --quiet: #5f5c55; --line: #dedbd3; --link: #0b57b0;
  --mark: #ffe9a8; --doubt: #9a3412;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181c; --ink: #e9e7e2; --quiet: #a9a69f; --line: #34373d; --link: #7db8ff;
    --mark: #57481a; --doubt: #fdba74;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 46rem; padding: 2rem 1.25rem 4rem;
  background: var(--paper); color: var(--ink);
  font: 1.0625rem/1.65 system-ui, -apple-system, "Segoe UI", "Noto Sans", "Noto Sans CJK SC", sans-serif;
}
h1 { font-size: 1.6rem; line-height: 1.3; margin: 0 0 1rem; }
h2 { font-size: 1.15rem; margin: 2.25rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
a { color: var(--link); overflow-wrap: anywhere; }
a:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
a.citation { text-decoration: none; font-size: .85em; font-variant-numeric: tabular-nums; }
a.citation:hover { text-decoration: underline; }
em { color: var(--doubt); }
code { font: .9em ui-monospace, monospace; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; margin: 0 0 1.75rem;
  color: var(--quiet); font-size: .875rem; }
dt { font-weight: 600; }
dd { margin: 0; overflow-wrap: anywhere; }
.sources li { margin: 0 0 1.1rem; scroll-margin-top: 1rem; }
.sources li:target { outline: 2px solid var(--link); outline-offset: .4rem; }
.sources small { display: block; color: var(--quiet); overflow-wrap: anywhere; }
blockquote { margin: .35rem 0 0; padding-left: .9rem; border-left: 3px solid var(--line);
  color: var(--quiet); font-size: .95rem; overflow-wrap: anywhere; }
mark { background: var(--mark); color: var(--ink); padding: 0 .1em; }
.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; }
th, td { border: 1px solid var(--line); padding: .3em .6em; text-align: left; vertical-align: top; }
td.missing { color: var(--quiet); }
td.conflict { background: var(--mark); }
@media print {
  :root { --paper: #fff; --ink: #000; --quiet: #444; --link: #000; --doubt: #000; --line: #bbb; }
  body { max-width: none; padding: 0; font-size: 10.5pt; }
  h2, dt { break-after: avoid; }
  li, blockquote, tr { break-inside: avoid; }
  .table { overflow: visible; }
  a { text-decoration: none; }
}
"""


def report_html(document: ReportDocument, find_page: FindPage = lambda page_id: None) -> str:
    """The page. ``find_page`` gives the pages from which the surroundings of quotes are taken."""
    question = document.report.question
    language = "zh" if is_chinese(question) else "en"
    policy = (
        f"default-src 'none'; style-src 'sha256-{_digest(_STYLE)}'; base-uri 'none'; "
        "form-action 'none'"
    )
    return (
        f'<!doctype html>\n<html lang="{language}">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(safe_line(question))}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header>\n<h1>{escape(safe_line(question))}</h1>\n{_facts(document)}</header>\n"
        f"<main>\n{_body(document)}{_sources(document.sources, find_page)}</main>\n"
        "</body>\n</html>\n"
    )


def _digest(style: str) -> str:
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


def _facts(document: ReportDocument) -> str:
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(safe_line(value))}</dd>\n"
        for name, value in facts(document.report).items()
    )
    return f"<dl>\n{rows}</dl>\n"


def _body(document: ReportDocument) -> str:
    parser = MarkdownIt("commonmark", {"html": False})
    parser.add_render_rule("text", _text)
    parser.add_render_rule("citation", _citation)
    parser.add_render_rule("wide_table", _wide_table)
    html: str = parser.renderer.render(document.blocks, parser.options, {"document": document})
    return html


def _text(
    self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
) -> str:
    return escape(safe_text(tokens[idx].content))


def _citation(
    self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
) -> str:
    number: int = tokens[idx].meta["number"]
    document: ReportDocument = env["document"]
    said = escape(safe_line(document.sources[number - 1].quote, 300), quote=True)
    return (
        f'<a class="citation" href="#source-{number}" title="{said}" '
        f'aria-label="source {number}">[{number}]</a>'
    )


def _wide_table(
    self: RendererHTML, tokens: Sequence[Token], idx: int, options: OptionsDict, env: EnvType
) -> str:
    document: ReportDocument = env["document"]
    table = document.report.table
    return "" if table is None else f'<div class="table">{html_table(table)}</div>\n'


def _sources(sources: Sequence[Citation], find_page: FindPage) -> str:
    if not sources:
        return ""
    items = "".join(
        f'<li id="source-{number}">{_source(source, find_page)}</li>\n'
        for number, source in enumerate(sources, start=1)
    )
    return f'<section aria-labelledby="sources">\n<h2 id="sources">Sources</h2>\n<ol class="sources">\n{items}</ol>\n</section>\n'


def _source(source: Citation, find_page: FindPage) -> str:
    title = escape(safe_line(source.title or source.url))
    sheet = f", page {source.sheet}" if source.sheet else ""
    address = address_of_quote(source)
    named = f'<a href="{escape(address, quote=True)}">{title}</a>' if address else title
    before, after = _surroundings(source, find_page(source.page_id))
    return (
        f"<cite>{named}</cite>{sheet}<small>{escape(safe_line(source.url))}</small>"
        f'<blockquote dir="auto">{escape(before)}<mark>{escape(_flat(source.quote))}</mark>'
        f"{escape(after)}</blockquote>"
    )


def _surroundings(source: Citation, page: Page | None) -> tuple[str, str]:
    """The words before and after a quote, cut at words."""
    if page is None or not page.holds(source):
        return "", ""
    before = page.text[max(0, source.start - _SURROUNDINGS) : source.start]
    after = page.text[source.end : source.end + _SURROUNDINGS]
    if source.start > _SURROUNDINGS:
        before = f"… {before.partition(' ')[2]}"
    if source.end + _SURROUNDINGS < len(page.text):
        after = f"{after.rpartition(' ')[0]} …"
    return _flat(before), _flat(after)


def _flat(text: str) -> str:
    """On one line; space at the ends, which parts a quote from its surroundings, is kept."""
    line = safe_line(text)
    return f"{' ' if text[:1].isspace() else ''}{line}{' ' if text[-1:].isspace() else ''}"


def address_of_quote(source: Citation) -> str | None:
    """The address of a quote on its page; None where it is none that a browser may be sent to."""
    scheme = urlsplit(source.url).scheme
    if scheme == "file":
        return source.url
    if scheme not in ("http", "https"):
        return None
    joint = ":~:text=" if "#" in source.url else "#:~:text="
    return source.url + joint + _text_directive(source.quote)


def _text_directive(text: str) -> str:
    words = " ".join(text.split())
    if len(words) <= _WHOLE_QUOTE:
        return _encoded(words)
    parts = words.split(" ")
    if len(parts) < 12:  # no words to count, as in Chinese
        return f"{_encoded(words[:24])},{_encoded(words[-24:])}"
    return f"{_encoded(' '.join(parts[:5]))},{_encoded(' '.join(parts[-5:]))}"


def _encoded(text: str) -> str:
    # "-" and "," part the pieces of a text directive.
    return quote(text, safe="").replace("-", "%2D")
