"""A report's Markdown taken apart, for writers of other formats.

Numbers in brackets that name a source become tokens of type ``citation`` (``meta["number"]``), the
fence that holds a wide table one of type ``wide_table``; the list of sources is left out of the
blocks, because a writer makes it of the citations themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ...evidence import Citation
from ..citation_numbers import CitationNumbers
from ..report import SOURCES_HEADING, Report

_MARK = re.compile(r"\[(\d{1,4})\]")


@dataclass(frozen=True, slots=True)
class ReportDocument:
    """The parts of a report, in order."""

    report: Report
    blocks: tuple[Token, ...]
    """Of CommonMark, without images and HTML."""
    sources: tuple[Citation, ...]
    """By number: the first is 1. Empty for a table, whose cells have their own."""

    @classmethod
    def of(cls, report: Report) -> ReportDocument:
        sources = _sources(report)
        body = report.markdown
        if sources:
            body = body.rpartition(f"\n{SOURCES_HEADING}\n")[0] or body
        return cls(report, tuple(_blocks(body, report, len(sources))), sources)


def status_words(report: Report) -> str:
    """How the run ended, for people."""
    return {
        "complete": "complete",
        "partial": "partial: something is missing or in doubt",
        "budget_exhausted": "partial: the budget ran out",
        "failed": "failed",
    }[report.status]


def facts(report: Report) -> dict[str, str]:
    """What a report's head says besides the question."""
    named = {
        "Status": status_words(report),
        "Finished": f"{report.finished_at.astimezone():%Y-%m-%d %H:%M}",
        "Model": report.model,
        "Reader": report.reader,
        "Effort": f"{report.usage.seconds:.0f} s, {report.usage.pages} pages, "
        f"{report.usage.read_tokens:,} tokens read",
        "Run": report.run_id,
    }
    return {name: value for name, value in named.items() if value}


def is_chinese(text: str) -> bool:
    """Whether there are Han characters in it."""
    return any("\u3400" <= character <= "\u9fff" for character in text)


def _sources(report: Report) -> tuple[Citation, ...]:
    """In the order in which the Markdown numbers them."""
    contradictory = (
        citation
        for contradiction in report.contradictions
        for citation in (contradiction.first_citation, contradiction.second_citation)
    )
    cited = (citation for claim in report.claims for citation in claim.citations)
    return tuple(CitationNumbers([*cited, *report.unread, *contradictory]).sources)


def _blocks(markdown: str, report: Report, sources: int) -> Iterator[Token]:
    # Without text_join an escaped bracket stays apart from a bracket of the writer's.
    parser = MarkdownIt("commonmark", {"html": False}).disable(["text_join", "image"])
    for token in parser.parse(markdown):
        if token.type == "fence" and token.info == "markdown" and report.table is not None:
            yield Token("wide_table", "", 0)
            continue
        if token.children is not None:
            token.children = list(_inline(token.children, sources))
        yield token


def _inline(tokens: list[Token], sources: int) -> Iterator[Token]:
    for token in tokens:
        if token.type == "text_special":
            yield _text(token.content)
        elif token.type == "text":
            yield from _with_citations(token.content, sources)
        else:
            yield token


def _with_citations(text: str, sources: int) -> Iterator[Token]:
    end = 0
    for match in _MARK.finditer(text):
        if 1 <= int(match[1]) <= sources:
            yield _text(text[end : match.start()])
            yield Token("citation", "", 0, content=match[0], meta={"number": int(match[1])})
            end = match.end()
    yield _text(text[end:])


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)
