"""An HTML tree as text: headings, lists, definition lists, tables and code keep their shape.

The text is Markdown-like and holds nothing that the page does not show, apart from the marks
that carry the structure: ``#`` before headings, ``-`` or numbers before list items, ``|`` between
cells, fences around preformatted text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree
from lxml.html import HtmlElement

from ..markdown_tables import delimiter_row, escaped, markdown_row

_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_UNSEEN = frozenset(
    {"script", "style", "noscript", "template", "svg", "head", "iframe", "object", "embed"}
    | {"button", "select", "option", "textarea", "input", "form", "nav", "footer", "menu"}
    | {"canvas", "audio", "video", "map", "dialog"}
)
_BLOCKS = frozenset(
    {"address", "article", "aside", "blockquote", "body", "caption", "center", "details", "div"}
    | {"dl", "dt", "dd", "fieldset", "figcaption", "figure", "header", "hr", "html", "legend"}
    | {"li", "main", "ol", "p", "pre", "section", "summary", "ul"}
    | {"table", "tbody", "td", "tfoot", "th", "thead", "tr"}
    | set(_HEADINGS)
)
_UNSEEN_ROLES = frozenset(
    {"navigation", "banner", "contentinfo", "search", "complementary", "menu", "dialog"}
)
_NAVIGATION = re.compile(
    r"(?:^|[\s_-])(?:nav|navbar|navigation|menu|mainmenu|submenu|searchmenu|breadcrumbs?|sidebar"
    r"|toc|skip-?link|cookie|share|sharing|social|related|promo|advert(?:isement)?|noprint)"
    r"(?:$|[\s_-])",
    re.IGNORECASE,
)
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\f\v\n\u00a0]+")
_LONG_CELL = 400
_LONGEST_SPAN = 50


def is_shown(element: HtmlElement) -> bool:
    """Whether a reader of the page sees this element as a part of its content."""
    tag = element.tag
    if not isinstance(tag, str) or tag in _UNSEEN:
        return False
    if tag in ("body", "html", "main", "article"):
        return True
    get = element.get
    if get("hidden") is not None or get("aria-hidden") == "true":
        return False
    if (get("role") or "").lower() in _UNSEEN_ROLES:
        return False
    if (style := get("style")) and _HIDDEN_STYLE.search(style):
        return False
    names = f"{get('class') or ''} {get('id') or ''}"
    return not (tag in _BLOCKS and names != " " and _NAVIGATION.search(names))


def render(root: HtmlElement) -> str:
    """The text of ``root`` and what it holds, blocks separated by blank lines."""
    return _Renderer().render(root)


class _Renderer:
    """Walks without recursion, so that no depth of nesting can exhaust the stack."""

    def __init__(self) -> None:
        self._blocks: list[str] = []
        self._line: list[str] = []
        self._lists: list[int | None] = []
        """For each open list the number of its next item; None in unordered ones."""
        self._mark = ""
        self._tight = False

    def render(self, root: HtmlElement) -> str:
        walk = etree.iterwalk(root, events=("start", "end", "comment", "pi"))
        for event, element in walk:
            if event == "start":
                if self._open(element):
                    self._write(element.text)
                else:
                    walk.skip_subtree()
            elif event == "end":
                self._close(element)
            if event != "start" and element is not root:
                self._write(element.tail)
        self._flush()
        return "\n\n".join(self._blocks)

    def _open(self, element: HtmlElement) -> bool:
        """Begin ``element``; False when its children are done with or not shown."""
        tag = element.tag
        if not is_shown(element):
            return False
        if tag == "br":
            self._line.append("\n")
        elif tag == "img":
            return False
        elif tag == "math":
            self._write(element.get("alttext") or "".join(element.itertext()))
            return False
        elif tag == "pre":
            self._flush()
            self._add(_fenced("".join(_shown_text(element))))
            return False
        elif tag == "table" and (rows := _data_rows(element)):
            self._flush()
            self._add("\n".join(_table_lines(element, rows)))
            return False
        elif tag in _HEADINGS:
            self._flush()
            self._mark = "#" * _HEADINGS[tag] + " "
        elif tag in ("ul", "ol"):
            self._flush()
            self._lists.append(_first_number(element) if tag == "ol" else None)
        elif tag == "li":
            self._flush()
            self._mark, self._tight = self._item_mark(), True
        elif tag == "dd":
            self._flush()
            self._mark, self._tight = ": ", True
        elif tag in _BLOCKS:
            self._flush()
        return True

    def _close(self, element: HtmlElement) -> None:
        tag = element.tag
        if tag in ("ul", "ol") and is_shown(element) and self._lists:
            self._flush()
            self._lists.pop()
        elif tag in _BLOCKS:
            self._flush()
            self._mark, self._tight = "", False

    def _item_mark(self) -> str:
        if not self._lists:
            return "- "
        indent, number = "  " * (len(self._lists) - 1), self._lists[-1]
        if number is None:
            return f"{indent}- "
        self._lists[-1] = number + 1
        return f"{indent}{number}. "

    def _write(self, text: str | None) -> None:
        if text:
            self._line.append(_SPACE.sub(" ", text))

    def _flush(self) -> None:
        """End the current block."""
        lines = [_SPACE.sub(" ", line).strip() for line in "".join(self._line).split("\n")]
        self._line.clear()
        text = "\n".join(line for line in lines if line)
        if not text:
            return
        if self._mark.startswith("#"):
            text = text.replace("\n", " ")
        self._add(self._mark + text, tight=self._tight)
        self._mark, self._tight = "", False

    def _add(self, block: str, *, tight: bool = False) -> None:
        if not block:
            return
        if tight and self._blocks:
            self._blocks[-1] += "\n" + block
        else:
            self._blocks.append(block)


def _shown_text(element: HtmlElement) -> Iterator[str]:
    walk = etree.iterwalk(element, events=("start", "end", "comment", "pi"))
    for event, node in walk:
        if event == "start":
            if not is_shown(node):
                walk.skip_subtree()
            elif node.tag == "br":
                yield "\n"
            elif node.text:
                yield node.text
        if event != "start" and node is not element and node.tail:
            yield node.tail


def _fenced(text: str) -> str:
    code = "\n".join(line.rstrip() for line in text.expandtabs().splitlines()).strip("\n")
    return f"```\n{code}\n```" if code.strip() else ""


def _first_number(element: HtmlElement) -> int:
    start = element.get("start") or "1"
    return int(start) if start.isascii() and start.isdigit() and len(start) < 9 else 1


def _data_rows(table: HtmlElement) -> list[list[str]]:
    """The cells of a table of data; empty for one that only arranges the page."""
    if next(table.iterdescendants("table"), None) is not None:
        return []
    rows: list[list[str]] = []
    hanging: dict[int, tuple[int, str]] = {}
    """By column: for how many more rows a cell from above reaches down, and its text."""
    for row in table.iterdescendants("tr"):
        if not is_shown(row):
            continue
        cells = _row_cells(row, hanging)
        if any(cells):
            rows.append(cells)
    if not rows or max(map(len, rows)) < 2:
        return []
    if len(rows) == 1 and max(map(len, rows[0])) > _LONG_CELL:
        return []
    if any(len(cell) > _LONG_CELL for row in rows for cell in row) and _has_blocks(table):
        return []
    return rows


def _row_cells(row: HtmlElement, hanging: dict[int, tuple[int, str]]) -> list[str]:
    """The cells of a row. One that spans rows stands in each: a row is read by itself."""
    cells: list[str] = []

    def from_above() -> None:
        while len(cells) in hanging:
            column = len(cells)
            left, text = hanging[column]
            cells.append(text)
            if left > 1:
                hanging[column] = left - 1, text
            else:
                del hanging[column]

    for cell in row.iterchildren("td", "th"):
        from_above()
        text, down = _cell(cell), _span(cell, "rowspan") - 1
        for offset in range(_span(cell, "colspan")):
            if down:
                hanging[len(cells)] = down, text if offset == 0 else ""
            cells.append(text if offset == 0 else "")
    from_above()
    return cells


def _has_blocks(table: HtmlElement) -> bool:
    return next(table.iterdescendants("ul", "ol", "dl", "pre", *_HEADINGS), None) is not None


def _cell(cell: HtmlElement) -> str:
    text = " ".join(part if part != "\n" else " " for part in _spaced(cell))
    return escaped(_SPACE.sub(" ", text.replace("\n", " ")).strip())


def _spaced(cell: HtmlElement) -> Iterator[str]:
    """The cell's text, one part a block, so that two paragraphs do not run together."""
    part: list[str] = []
    walk = etree.iterwalk(cell, events=("start", "end", "comment", "pi"))
    for event, node in walk:
        breaks = isinstance(node.tag, str) and (node.tag in _BLOCKS or node.tag == "br")
        if breaks and part:
            yield "".join(part)
            part = []
        if event == "start":
            if not is_shown(node):
                walk.skip_subtree()
            elif node.text:
                part.append(node.text)
        if event != "start" and node is not cell and node.tail:
            part.append(node.tail)
    yield "".join(part)


def _span(cell: HtmlElement, attribute: str) -> int:
    span = cell.get(attribute) or "1"
    counts = span.isascii() and span.isdigit() and len(span) < 4
    return min(max(int(span), 1), _LONGEST_SPAN) if counts else 1


def _table_lines(table: HtmlElement, rows: list[list[str]]) -> Iterator[str]:
    width = max(map(len, rows))
    caption = next(table.iterdescendants("caption"), None)
    if caption is not None and (title := _cell(caption)):
        yield title
    has_head = next(table.iterdescendants("th"), None) is not None
    for number, row in enumerate(rows):
        yield markdown_row(row + [""] * (width - len(row)))
        if number == 0 and has_head:
            yield delimiter_row(width)
