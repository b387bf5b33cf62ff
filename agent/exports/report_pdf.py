"""A report as a PDF: numbered sources with their quotes, every citation a link to its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from ...extras import import_extra
from ...safe_text import safe_line, safe_text
from ..tables.wide_table import WideTable
from .pdf_fonts import Fonts, fonts_for
from .report_document import ReportDocument, facts, is_chinese
from .report_html import address_of_quote

if TYPE_CHECKING:
    from fpdf import FPDF
    from markdown_it.token import Token

_MARGIN = 20.0
_INDENT = 6.0
"""Millimetres, as all lengths here; sizes of type are points."""
_BODY, _SMALL, _HEADING, _TITLE = 10.5, 8.5, 13.0, 18.0
_LINE = 1.4
"""Height of a line, in heights of its type."""
_MILLIMETRES_A_POINT = 0.3528
_INK, _QUIET, _LINK, _DOUBT = (28, 27, 25), (95, 92, 85), (11, 87, 176), (154, 52, 18)

_PLAIN_SIGNS = str.maketrans(
    {"“": '"', "”": '"', "‘": "'", "’": "'", "–": "-", "—": "-", "…": "...", "•": "-"}
)
"""For the one font that every PDF viewer has, where the machine has none."""


def report_pdf(document: ReportDocument) -> bytes:
    """The file. Blocks.

    Raises:
        MissingExtra: fpdf2 is not installed.
        ConfigError: no font here has a letter of the report.
    """
    fpdf = import_extra("fpdf", extra="pdf", purpose="a PDF file", otherwise="write .html")
    pdf: FPDF = fpdf.FPDF(format="A4")
    pdf.set_margin(_MARGIN)
    pdf.set_auto_page_break(True, _MARGIN)
    report = document.report
    pdf.set_title(safe_line(report.question))
    pdf.set_creator("Leadline")
    pdf.set_creation_date(report.finished_at)
    pdf.set_lang("zh" if is_chinese(report.question) else "en")
    _Writer(pdf, document).write()
    return bytes(pdf.output())


class _Writer:
    """Puts the parts of a report onto pages, one below the other."""

    def __init__(self, pdf: FPDF, document: ReportDocument) -> None:
        self._pdf, self._document = pdf, document
        self._fonts = fonts_for(_all_text(document))
        self._family = _add_fonts(pdf, self._fonts)
        self._size = _BODY
        self._bold = self._doubtful = False

    def write(self) -> None:
        self._pdf.add_page()
        self._start(_TITLE, bold=True)
        self._say(self._document.report.question)
        self._end(gap=2)
        self._facts()
        self._blocks(self._document.blocks)
        self._sources()

    def _facts(self) -> None:
        self._start(_SMALL, colour=_QUIET)
        self._say("\n".join(f"{name}: {v}" for name, v in facts(self._document.report).items()))
        self._end(gap=4)

    def _blocks(self, tokens: Sequence[Token]) -> None:
        lists: list[int | None] = []
        """The next number of each open list; None where it has none."""
        for token in tokens:
            if token.type == "heading_open":
                self._pdf.ln(3)
                self._start(_HEADING, bold=True)
            elif token.type in ("bullet_list_open", "ordered_list_open"):
                lists.append(None if token.type.startswith("bullet") else 1)
            elif token.type in ("bullet_list_close", "ordered_list_close"):
                lists.pop()
                self._indent(len(lists))
            elif token.type == "list_item_open":
                self._indent(len(lists))
                number = lists[-1]
                self._start(_BODY)
                self._say("• " if number is None else f"{number}. ")
                lists[-1] = None if number is None else number + 1
            elif token.type == "inline":
                self._inline(token.children or [])
                self._end(gap=1 if lists else 3)
            elif token.type in ("fence", "code_block"):
                self._start(_SMALL)
                self._say(token.content)
                self._end(gap=3)
            elif token.type == "wide_table" and self._document.report.table is not None:
                self._table(self._document.report.table)
            if token.type == "paragraph_open" and not lists:
                self._start(_BODY)

    def _inline(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            if token.type in ("text", "code_inline"):
                self._say(token.content)
            elif token.type in ("softbreak", "hardbreak"):
                self._say(" ")
            elif token.type in ("strong_open", "strong_close"):
                self._bold = token.type == "strong_open"
            elif token.type in ("em_open", "em_close"):
                self._doubtful = token.type == "em_open"
            elif token.type == "citation":
                self._say(token.content, link=f"#source-{token.meta['number']}")

    def _sources(self) -> None:
        if not self._document.sources:
            return
        self._pdf.ln(3)
        self._start(_HEADING, bold=True)
        self._say("Sources")
        self._end(gap=2)
        for number, source in enumerate(self._document.sources, start=1):
            if self._pdf.will_page_break(12):
                self._pdf.add_page()
            self._pdf.set_link(y=self._pdf.get_y(), page=self._pdf.page, name=f"source-{number}")
            self._start(_BODY)
            sheet = f", page {source.sheet}" if source.sheet else ""
            self._say(f"{number}. {safe_line(source.title or source.url)}{sheet}\n")
            self._start(_SMALL)
            self._say(safe_line(source.url), link=address_of_quote(source) or "")
            self._end(gap=0)
            self._indent(1)
            self._start(_BODY, colour=_QUIET)
            self._say(f"“{safe_line(source.quote)}”")
            self._end(gap=3)
            self._indent(0)

    def _table(self, table: WideTable) -> None:
        from fpdf.fonts import FontFace

        self._start(_SMALL)
        names = table.table_schema.names
        rows = [names, *([row[name].value or "–" for name in names] for row in table.rows)]
        heading = FontFace(emphasis="BOLD" if self._has_bold else "")
        with self._pdf.table(
            headings_style=heading, line_height=_SMALL * _LINE * _MILLIMETRES_A_POINT
        ) as drawn:
            for row in rows:
                drawn.row([self._shown(safe_line(cell)) for cell in row])
        self._end(gap=3)

    @property
    def _has_bold(self) -> bool:
        return self._fonts.regular is None or self._fonts.bold is not None

    def _start(
        self, size: float, *, bold: bool = False, colour: tuple[int, int, int] = _INK
    ) -> None:
        self._size, self._bold, self._doubtful, self._colour = size, bold, False, colour

    def _say(self, text: str, *, link: str = "") -> None:
        """Write on from where the last words ended."""
        style: Literal["", "B"] = "B" if self._bold and self._has_bold else ""
        self._pdf.set_font(self._family, style, self._size)
        self._pdf.set_text_color(_LINK if link else _DOUBT if self._doubtful else self._colour)
        wrap = "CHAR" if is_chinese(text) else "WORD"
        height = self._size * _LINE * _MILLIMETRES_A_POINT
        self._pdf.write(height, self._shown(safe_text(text)), link=link, wrapmode=wrap)  # type: ignore[arg-type]

    def _end(self, *, gap: float) -> None:
        self._pdf.ln(self._size * _LINE * _MILLIMETRES_A_POINT)
        self._pdf.ln(gap)

    def _indent(self, levels: int) -> None:
        self._pdf.set_left_margin(_MARGIN + levels * _INDENT)
        self._pdf.set_x(_MARGIN + levels * _INDENT)

    def _shown(self, text: str) -> str:
        if self._fonts.regular is None:
            text = text.translate(_PLAIN_SIGNS)
        return "".join("?" if c in self._fonts.unknown else c for c in text)


def _add_fonts(pdf: FPDF, fonts: Fonts) -> str:
    """The family in which text is set; what it lacks comes from the others by itself."""
    families = []
    for number, font in enumerate(fonts.others):
        family = f"other{number}"
        for style in ("", "B"):
            pdf.add_font(family, style, font.path, collection_font_number=font.face)
        families.append(family)
    if fonts.regular is None and not families:
        return "helvetica"
    if fonts.regular is not None:
        families.insert(0, "text")
        pdf.add_font("text", "", fonts.regular.path)
        if fonts.bold is not None:
            pdf.add_font("text", "B", fonts.bold.path)
    pdf.set_fallback_fonts(families[1:], exact_match=False)
    return families[0]


def _all_text(document: ReportDocument) -> str:
    """Everything that is written, so that its fonts can be found."""
    report = document.report
    parts = [report.question, report.markdown, *facts(report).values(), "“”•–"]
    parts += [f"{source.title} {source.quote} {source.url}" for source in document.sources]
    if report.table is not None:
        parts += [*report.table.table_schema.names]
        parts += [cell.value for row in report.table.rows for cell in row.values()]
    return safe_text("".join(parts))
