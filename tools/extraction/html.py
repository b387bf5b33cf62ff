"""HTML to text: trafilatura finds where a page's content is, the walk keeps its shape.

trafilatura alone loses headings on pages of reference documentation; a walk alone brings every
sidebar along. So the walk renders the smallest element that holds nearly all that trafilatura
kept, less the blocks before and after that trafilatura left out. On pages that call themselves
articles what it left out in between goes too: teasers, captions, advertisements.
"""

from __future__ import annotations

import copy
import re
from collections import defaultdict

import trafilatura
from lxml import etree
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from ...errors import ExtractionError
from .document import Extracted, language_of, normalised, one_line
from .html_metadata import authors_and_date
from .html_walk import is_shown, render

_WORD = re.compile(r"\w+")
_HELD = 0.9
"""Share of trafilatura's words that the chosen element holds."""
_TELLING_WORDS = 4
"""Shorter strings occur anywhere and tell nothing about where the content is."""
_BORNE_OUT = 0.5
"""Share of a block's words in trafilatura's text from which it marks where the content is."""
_PART_OF_ARTICLE = 0.3
"""The same, from which a block in the middle of an article belongs to it."""
_ARTICLE = re.compile(r'"@type"\s*:\s*\[?\s*"\w*(?:Article|Posting)"')
_SHORT = 500
"""Characters of content below which trafilatura may have missed the page's point."""
_SOME_PROSE = 200
"""Characters of sentences with which a page is short, not missed."""
_ITEM = re.compile(r"\n(?=\s*(?:[-*]|\d+\.) )")
"""Where an item of a list begins."""
_SENTENCE_END = (".", "!", "?", "…", "。", "！", "？", '"', "”", "’", ")")
_MOST_ELEMENTS = 100_000
_DEEPEST = 200
"""Beyond these trafilatura, some of whose steps are quadratic, is not asked."""


def extract_html(html: str, *, name: str) -> Extracted:
    """The content of a page as Markdown-like text.

    Raises:
        ExtractionError: there is no markup that can be parsed, or no text in it.
    """
    tree = _parse(html, name)
    overgrown = _is_overgrown(tree)
    authors, published = ((), None) if overgrown else authors_and_date(tree)
    text = normalised(_content(tree, ask_trafilatura=not overgrown))
    if not text:
        raise ExtractionError(
            f"'{name}' shows no text without running its scripts",
            remedy="save the page from a browser as HTML, PDF or text first",
        )
    language = _declared_language(tree) or language_of(text)
    return Extracted(
        "text/html", _title(tree), text, language, published=published, authors=authors
    )


def links(html: str) -> list[str]:
    """The targets of a page's links as written, in order, without repeats; base href first applied.

    Raises:
        ExtractionError: there is no markup that can be parsed.
    """
    tree = _parse(html, "page")
    if base := next(iter(tree.xpath("//base/@href")), ""):
        tree.make_links_absolute(str(base), handle_failures="ignore")
    return list(dict.fromkeys(str(href).strip() for href in tree.xpath("//a/@href")))


def _parse(html: str, name: str) -> HtmlElement:
    parser = HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True)
    try:
        return document_fromstring(html.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise ExtractionError(
            f"'{name}' is not HTML that can be read ({error})", remedy="check the file"
        ) from error


def _content(tree: HtmlElement, *, ask_trafilatura: bool) -> str:
    body = tree.find("body")
    body = tree if body is None else body
    whole = render(body)
    kept = _kept_by_trafilatura(tree) if ask_trafilatura else ""
    if not kept:
        return whole
    if _share_known(kept, set(_triples(whole))) < 0.5:
        return kept  # It comes from the page's metadata; the scripts that would show it do not run.
    main = _smallest_holding(body, kept)
    content = _trimmed(whole if main is body else render(main), kept)
    if _is_article(tree):
        content = _without_asides(content, kept)
    missed = len(content) < min(_SHORT, len(whole) / 2) and _prose(kept) < _SOME_PROSE
    return whole if missed or not content else content


def _is_overgrown(tree: HtmlElement) -> bool:
    elements = depth = 0
    for event, _ in etree.iterwalk(tree, events=("start", "end")):
        if event == "end":
            depth -= 1
            continue
        elements, depth = elements + 1, depth + 1
        if elements > _MOST_ELEMENTS or depth > _DEEPEST:
            return True
    return False


def _kept_by_trafilatura(tree: HtmlElement) -> str:
    """trafilatura's choice of content as plain text; empty where it finds none."""
    # It edits the tree it is given.
    return trafilatura.extract(copy.deepcopy(tree), include_comments=False) or ""


def _prose(text: str) -> int:
    """Characters in lines that end as sentences do."""
    lines = (line.rstrip() for line in text.splitlines())
    return sum(len(line) for line in lines if line.endswith(_SENTENCE_END))


def _smallest_holding(body: HtmlElement, kept: str) -> HtmlElement:
    """The smallest element that shows ``_HELD`` of the words of ``body`` that are in ``kept``."""
    joined = f" {' '.join(_words(kept))} "
    held: dict[HtmlElement, int] = defaultdict(int)
    for event, element in etree.iterwalk(body, events=("start", "end")):
        if not isinstance(element.tag, str):
            continue
        words = _words((element.text if event == "start" else element.tail) or "")
        if len(words) < _TELLING_WORDS or f" {' '.join(words)} " not in joined:
            continue
        holder = element if event == "start" else element.getparent()
        while holder is not None:
            held[holder] += len(words)
            holder = holder.getparent()
    main, enough = body, _HELD * held[body]
    while (
        enough and (inner := next((c for c in main if held.get(c, 0) >= enough), None)) is not None
    ):
        if not is_shown(inner):
            break
        main = inner
    return main


def _share_known(text: str, known: set[tuple[str, ...]]) -> float:
    """The share of the word triples of ``text`` that are in ``known``."""
    triples = _triples(text)
    return sum(triple in known for triple in triples) / len(triples) if triples else 0.0


def _trimmed(text: str, kept: str) -> str:
    """``text`` from the first to the last block that ``kept`` has, headings before it included."""
    blocks = text.split("\n\n")
    known = set(_triples(kept))
    flags = [_share_known(block, known) >= _BORNE_OUT for block in blocks]
    if not any(flags):
        return text
    first, last = flags.index(True), len(flags) - 1 - flags[::-1].index(True)
    while first > 0 and blocks[first - 1].startswith("#"):
        first -= 1
    while last + 1 < len(blocks) and blocks[last + 1].startswith(("```", "|")):
        last += 1
    return "\n\n".join(blocks[first : last + 1])


def _is_article(tree: HtmlElement) -> bool:
    """Whether a page says of itself that it is one: Open Graph, schema.org."""
    kinds = tree.xpath("//meta[@property='og:type']/@content | //*/@itemtype")
    if any(str(kind).lower().endswith(("article", "posting")) for kind in kinds):
        return True
    scripts = tree.xpath("//script[@type='application/ld+json']/text()")
    return any(_ARTICLE.search(str(script)) for script in scripts)


def _without_asides(text: str, kept: str) -> str:
    """``text`` less the blocks that ``kept`` does not bear out; tables and code always stay."""
    known, joined = set(_triples(kept)), f" {' '.join(_words(kept))} "

    def belongs(block: str) -> bool:
        if block.startswith(("```", "|")):
            return True
        words = _words(block)
        if len(words) < _TELLING_WORDS:
            return f" {' '.join(words)} " in joined
        return _share_known(block, known) >= _PART_OF_ARTICLE

    def borne_out(block: str) -> str:
        """``block``, or what belongs of a paragraph and the list that follows it."""
        if belongs(block):
            return block
        parts = (part for part in _ITEM.split(block) if len(_words(part)) >= _TELLING_WORDS)
        return "\n".join(filter(belongs, parts))

    blocks = text.split("\n\n")
    kept_of = [borne_out(block) for block in blocks]
    followed = [*kept_of[1:], ""]
    return "\n\n".join(
        part or block
        for block, part, after in zip(blocks, kept_of, followed, strict=True)
        if part or (block.startswith("#") and "\n" not in block and after)
    )


def _triples(text: str) -> list[tuple[str, ...]]:
    words = _words(text)
    return list(zip(words, words[1:], words[2:], strict=False))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _title(tree: HtmlElement) -> str:
    for path in ("//head/title/text()", "//meta[@property='og:title']/@content", "//h1[1]//text()"):
        if title := one_line("".join(map(str, tree.xpath(path)))):
            return title
    return ""


def _declared_language(tree: HtmlElement) -> str | None:
    declared = (tree.get("lang") or tree.get("xml:lang") or "").strip()
    return declared if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", declared) else None
